//! A WebSocket client of another library, which knows nothing of Fanfare.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConfig, pki_types::CertificateDer};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async, connect_async_tls_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::timeouts::within;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    headers: HeaderMap,
}

impl Client {
    /// Connects. Returns with the 101.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await
    }

    /// Connects with further headers.
    ///
    /// # Panics
    /// If the answer is not a 101.
    pub async fn connect_with(url: &str, headers: &[(&'static str, &str)]) -> Self {
        let connecting = async {
            let mut request = url.into_client_request()?;
            for (name, value) in headers {
                let value = HeaderValue::from_str(value).map_err(http::Error::from)?;
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
            connect_async(request).await
        };
        match within("a WebSocket handshake", connecting).await {
            Ok((socket, response)) => Self { socket, headers: response.headers().clone() },
            Err(error) => panic!("the handshake with {url} failed: {error}"),
        }
    }

    /// Connects through TLS, to a `wss://` URL.
    ///
    /// # Errors
    /// The connection's, mostly those of TLS.
    pub async fn try_connect_tls(url: &str, tls: Arc<ClientConfig>) -> Result<Self, Error> {
        let connector = Connector::Rustls(tls);
        let connecting = connect_async_tls_with_config(url, None, false, Some(connector));
        let (socket, response) = within("a WebSocket handshake inside TLS", connecting).await?;
        Ok(Self { socket, headers: response.headers().clone() })
    }

    /// As [`try_connect_tls`](Self::try_connect_tls).
    ///
    /// # Panics
    /// If the answer is not a 101.
    pub async fn connect_tls(url: &str, tls: Arc<ClientConfig>) -> Self {
        match Self::try_connect_tls(url, tls).await {
            Ok(client) => client,
            Err(error) => panic!("the handshake with {url} failed: {error}"),
        }
    }

    /// The certificate of a server with TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self.socket.get_ref() {
            MaybeTlsStream::Rustls(stream) => stream.get_ref().1.peer_certificates()?.first().cloned(),
            _ => None,
        }
    }

    /// The headers of the 101.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Sends a text message.
    pub async fn text(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Sends a message.
    ///
    /// # Panics
    /// If the connection has ended.
    pub async fn send(&mut self, message: Message) {
        if let Err(error) = within("a message is sent", self.socket.send(message)).await {
            panic!("a message could not be sent: {error}");
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// If the connection ends first.
    pub async fn next(&mut self) -> Message {
        match self.read().await {
            Some(Ok(Message::Close(frame))) => panic!("a message was expected, and the close {frame:?} came"),
            Some(Ok(message)) => message,
            other => panic!("a message was expected, and the connection ended: {other:?}"),
        }
    }

    /// Checks that the next message is this text.
    ///
    /// # Panics
    /// If it is another.
    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.next().await, Message::text(text));
    }

    /// The code and the reason of the server's close, which must be the next message. The close is answered, and the
    /// connection ends.
    ///
    /// # Panics
    /// If a message comes first, or the close has no code.
    pub async fn closed(mut self) -> (u16, String) {
        match self.read().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                // The answer goes out with the next read; that ends when the server has closed its side.
                while self.read().await.is_some_and(|read| read.is_ok()) {}
                (frame.code.into(), frame.reason.to_string())
            }
            other => panic!("a close frame with a code was expected, and {other:?} came"),
        }
    }

    /// Closes, and returns the server's answer, after the messages before it.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn close(&mut self, code: u16, reason: &str) -> Option<(u16, String)> {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.to_owned().into() };
        self.send(Message::Close(Some(frame))).await;
        loop {
            match self.read().await {
                Some(Ok(Message::Close(frame))) => {
                    return frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                other => panic!("the server's answer to a close was expected, and {other:?} came"),
            }
        }
    }

    /// The next message. Pings are answered and skipped.
    async fn read(&mut self) -> Option<Result<Message, Error>> {
        let read = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Ping(_))) => {}
                    read => return read,
                }
            }
        };
        within("a message of the server", read).await
    }
}
