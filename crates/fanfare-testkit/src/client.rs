//! A WebSocket client of another library, that knows nothing of Fanfare.

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

use crate::within;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    headers: HeaderMap,
}

impl Client {
    /// Connects; returns with the 101.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await
    }

    /// Connects with further headers.
    ///
    /// # Panics
    /// Where there is no 101.
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
            Err(error) => panic!("no WebSocket at {url}: {error}"),
        }
    }

    /// Connects by TLS, to a `wss://` URL; says why there is no connection.
    ///
    /// # Errors
    /// Mostly those of TLS.
    pub async fn try_connect_tls(url: &str, tls: Arc<ClientConfig>) -> Result<Self, Error> {
        let connector = Connector::Rustls(tls);
        let connecting = connect_async_tls_with_config(url, None, false, Some(connector));
        let (socket, response) = within("a WebSocket handshake inside TLS", connecting).await?;
        Ok(Self { socket, headers: response.headers().clone() })
    }

    /// The same; returns with the 101.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn connect_tls(url: &str, tls: Arc<ClientConfig>) -> Self {
        match Self::try_connect_tls(url, tls).await {
            Ok(client) => client,
            Err(error) => panic!("no WebSocket at {url}: {error}"),
        }
    }

    /// The certificate that the server showed, where it speaks TLS.
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
    /// Where the connection has ended.
    pub async fn send(&mut self, message: Message) {
        if let Err(error) = within("a message is sent", self.socket.send(message)).await {
            panic!("a message could not be sent: {error}");
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// Where the connection ends first.
    pub async fn next(&mut self) -> Message {
        match self.read().await {
            Some(Ok(Message::Close(frame))) => panic!("a message was expected, and the close {frame:?} came"),
            Some(Ok(message)) => message,
            other => panic!("a message was expected, and the connection ended: {other:?}"),
        }
    }

    /// The next message, which is this text.
    ///
    /// # Panics
    /// Where it is another.
    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.next().await, Message::text(text));
    }

    /// The close code and reason of the server, which says nothing else before. It is answered, and the
    /// connection ends.
    ///
    /// # Panics
    /// Where there is a message first, or no code.
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

    /// Says goodbye; gives the server's answer to it, past the messages that came before.
    ///
    /// # Panics
    /// Where there is none.
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

    /// Pings are answered on the way, and are no message.
    async fn read(&mut self) -> Option<Result<Message, Error>> {
        loop {
            match within("a message of the server", self.socket.next()).await {
                Some(Ok(Message::Ping(_))) => {}
                read => return read,
            }
        }
    }
}
