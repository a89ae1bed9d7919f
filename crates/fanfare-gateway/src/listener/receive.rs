//! Reading of a socket that other tasks write to.

use std::{
    io,
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, recv};
use tokio::{
    io::{Interest, ReadBuf},
    net::TcpStream,
};

/// [`try_receive`], once something has come. Until then the task is woken when it does.
pub(crate) fn poll_receive(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match try_receive(stream, buffer.initialize_unfilled()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return Poll::Ready(received.map(|length| buffer.advance(length))),
        }
    }
}

/// Reads what the socket has, at most until the buffer is full. The number of bytes; 0: the peer sends no more.
///
/// A read that left room in the buffer emptied the socket. So tokio is told that the socket is empty, and the next read
/// waits for the kernel's word. `TcpStream::try_read` would ask the kernel once more.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`]: nothing has come. Any other error: the socket is broken.
pub(crate) fn try_receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut received = 0;
    let tried = stream.try_io(Interest::READABLE, || {
        received = recv(stream, &mut *buffer, RecvFlags::empty())?.0;
        if (1..buffer.len()).contains(&received) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match tried {
        Err(error) if received == 0 => Err(error),
        _ => Ok(received),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    async fn receive(stream: &TcpStream, at_most: usize) -> Vec<u8> {
        let mut bytes = vec![0; at_most];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|cx| poll_receive(stream, cx, &mut buffer)).await.unwrap();
        buffer.filled().to_vec()
    }

    #[tokio::test]
    async fn a_reader_gets_all_bytes_and_the_end() {
        let (mut client, server) = pair().await;
        client.write_all(b"one").await.unwrap();
        assert_eq!(receive(&server, 8).await, b"one");
        {
            let mut next = std::pin::pin!(receive(&server, 3));
            assert_eq!(next.as_mut().now_or_never(), None, "the socket is empty");
            client.write_all(b"three").await.unwrap();
            assert_eq!(next.await, b"thr");
        }
        assert_eq!(receive(&server, 8).await, b"ee");
        drop(client);
        assert_eq!(receive(&server, 8).await, b"");
    }

    #[tokio::test]
    async fn an_empty_socket_says_so() {
        let (_client, server) = pair().await;
        let mut bytes = [0; 8];
        assert_eq!(try_receive(&server, &mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
