//! What a handler is given.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use super::extensions::Extensions;
use super::link::{Disconnect, Draining, Link};
use super::pool;
use super::request_body::RequestBody;
use super::state::ServerState;
use super::upgrade::Upgrade;
use crate::http::{Headers, Method, RequestHead, Version};

/// A request: its head, where it came from, and a body to receive.
///
/// It is one pointer, so it costs nothing to hand on. What is behind it is
/// used again for later requests.
pub struct Request(Option<Box<RequestParts>>);

/// What a request is made of.
#[derive(Default)]
pub(super) struct RequestParts {
    pub(super) head: RequestHead,
    body: RequestBody,
    /// Some in every request that a handler is given.
    link: Option<Rc<Link>>,
    extras: Extras,
    /// Something of them may be set.
    has_extras: bool,
}

/// What many requests go without.
#[derive(Default)]
struct Extras {
    state: Option<Rc<dyn Any>>,
    params: Vec<(Rc<str>, String)>,
    extensions: Extensions,
    router: Option<Rc<dyn Any>>,
    /// None is `http`.
    scheme: Option<&'static str>,
}

impl RequestParts {
    /// Makes it fit for another request, and keeps the memory. What was in it
    /// is dropped, which may run foreign code. The head is written over.
    #[inline]
    fn clear(&mut self) {
        self.body = RequestBody::empty();
        self.link = None;
        if self.has_extras {
            self.has_extras = false;
            self.extras.clear();
        }
    }

    fn extras_mut(&mut self) -> &mut Extras {
        self.has_extras = true;
        &mut self.extras
    }
}

impl Extras {
    fn clear(&mut self) {
        self.state = None;
        self.params.clear();
        self.extensions.clear();
        self.router = None;
        self.scheme = None;
    }
}

impl Request {
    /// An empty one, for a parser to fill.
    #[inline]
    pub(super) fn blank() -> Self {
        Request(Some(pool::take_request()))
    }

    /// Says what is known besides the head.
    #[inline]
    pub(super) fn arrive(&mut self, body: RequestBody, state: Option<Rc<dyn Any>>, link: Rc<Link>) {
        let parts = self.parts_mut();
        parts.body = body;
        if state.is_some() {
            parts.extras_mut().state = state;
        }
        parts.link = Some(link);
    }

    #[inline]
    fn parts(&self) -> &RequestParts {
        self.0.as_ref().expect("only a drop takes the parts away")
    }

    #[inline]
    pub(super) fn parts_mut(&mut self) -> &mut RequestParts {
        self.0.as_mut().expect("only a drop takes the parts away")
    }

    fn link(&self) -> &Rc<Link> {
        let link = self.parts().link.as_ref();
        link.expect("it has arrived before a handler sees it")
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.parts().head.method()
    }

    /// Its method as the client wrote it, also if it is not a known one.
    pub fn method_text(&self) -> &str {
        self.parts().head.method_text()
    }

    /// The path of its target as the client wrote it, without the query.
    pub fn path(&self) -> &str {
        self.parts().head.path()
    }

    /// The query of its target, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.parts().head.query()
    }

    /// The value of a query parameter as the client wrote it: what follows
    /// the first `name=`.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query()?.split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Its version of HTTP.
    pub fn version(&self) -> Version {
        self.parts().head.version()
    }

    /// Its header fields, in the order they came.
    pub fn headers(&self) -> &Headers {
        self.parts().head.headers()
    }

    /// Takes a header field away that must not be heard further in.
    #[cfg(feature = "compression")]
    pub(crate) fn remove_header(&mut self, name: &str) {
        self.parts_mut().head.headers_mut().remove(name);
    }

    /// The whole head.
    pub fn head(&self) -> &RequestHead {
        &self.parts().head
    }

    /// Where it came from, if the transport knows.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.parts().link.as_ref()?.peer.get()
    }

    /// Who sent it: the address that [`set_client`](Self::set_client) was
    /// given, else the peer's.
    pub fn client(&self) -> Option<SocketAddr> {
        self.link().client.get().or(self.peer())
    }

    /// Says who sent it, where the peer is a proxy. The access log names
    /// this address as well.
    pub fn set_client(&mut self, client: SocketAddr) {
        self.link().client.set(Some(client));
    }

    /// The pattern of its route, such as `/users/{id}`.
    pub fn route(&self) -> Option<Rc<str>> {
        self.link().route.borrow().clone()
    }

    /// Says which route was found; for routers.
    pub fn set_route(&mut self, pattern: Rc<str>) {
        self.link().route.replace(Some(pattern));
    }

    /// What the route's `{name}` matched, percent-decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.parts().extras.params.iter();
        params
            .find(|(key, _)| &**key == name)
            .map(|(_, value)| value.as_str())
    }

    /// What the lifespan's startup made, if it is of this type.
    pub fn state<S: 'static>(&self) -> Option<Rc<S>> {
        self.parts().extras.state.clone()?.downcast().ok()
    }

    /// What the server counts and whether it drains.
    pub fn server(&self) -> Rc<ServerState> {
        Rc::clone(&self.link().server)
    }

    /// Tells that the server was asked to stop. It outlives the request.
    pub fn draining(&self) -> Draining {
        Draining(Rc::clone(&self.link().server))
    }

    /// Tells that the client has left, or has its response. It outlives the
    /// request.
    ///
    /// A handler needs it for what it has started elsewhere: the handler
    /// itself is dropped when the client leaves, unless
    /// [`cancel_on_disconnect`](super::Config::cancel_on_disconnect) is off.
    pub fn on_disconnect(&self) -> Disconnect {
        Disconnect(Rc::clone(self.link()))
    }

    /// Sends 103 (Early Hints, RFC 8297) with these fields, such as `link`,
    /// while the handler goes on: when the handler next waits, or with its
    /// response if it does not wait. It may be called several times.
    ///
    /// Does nothing for an HTTP/1.0 client, which knows no such responses,
    /// and once the response has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::http::HeaderError;
    /// use tourbillon::server::{Headers, Request};
    /// # async fn render() -> String { String::new() }
    ///
    /// async fn page(request: Request) -> Result<String, HeaderError> {
    ///     let mut hints = Headers::new();
    ///     hints.append("link", "</style.css>; rel=preload; as=style")?;
    ///     request.early_hints(&hints);
    ///     Ok(render().await)
    /// }
    /// # fn is_handler(_: impl tourbillon::server::Handler) {}
    /// # is_handler(page);
    /// ```
    pub fn early_hints(&self, headers: &Headers) {
        if self.version() == Version::Http11 {
            self.link().asks.send_hints(headers);
        }
    }

    /// Asks for the raw stream of the connection, for when the response has
    /// switched it to another protocol (RFC 9110, 7.8): a 101 with an
    /// `upgrade` field, to a client that asked for it with `upgrade` and
    /// `connection: upgrade`. Such a response is refused for others, who get
    /// a 500.
    ///
    /// A body of the request should be read before the 101 is returned. A
    /// rest of up to 64 KiB is dropped then, and a longer one, or one in
    /// chunks, makes it a 500. If this is called again, who has called before
    /// gets an error. A 101 for whose stream nobody has asked closes the
    /// connection. The protocol that it names has to be one of the request's
    /// `upgrade` field (RFC 9110, 7.8), which is not checked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io;
    /// use tourbillon::http::HeaderError;
    /// use tourbillon::io::{AsyncRead, AsyncWrite};
    /// use tourbillon::server::{Request, Response, Status};
    ///
    /// // Says what comes first back, and closes.
    /// async fn once(request: Request) -> Result<Response, HeaderError> {
    ///     let upgrade = request.upgrade();
    ///     let echo = async move {
    ///         let mut stream = upgrade.await?;
    ///         let mut piece = [0; 1024];
    ///         let count = poll_fn(|cx| stream.poll_read(cx, &mut piece)).await?;
    ///         poll_fn(|cx| stream.poll_write(cx, &piece[..count])).await?;
    ///         io::Result::Ok(())
    ///     };
    ///     tourbillon::spawn(echo).detach();
    ///     Response::new(Status::SWITCHING_PROTOCOLS).with_header("upgrade", "echo")
    /// }
    /// # fn is_handler(_: impl tourbillon::server::Handler) {}
    /// # is_handler(once);
    /// ```
    pub fn upgrade(&self) -> Upgrade {
        self.link().asks.upgrade()
    }

    /// What came along with it from around the handler.
    pub fn extensions(&self) -> &Extensions {
        &self.parts().extras.extensions
    }

    /// The same, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.parts_mut().extras_mut().extensions
    }

    /// Its body, to read from.
    pub fn body(&mut self) -> &mut RequestBody {
        &mut self.parts_mut().body
    }

    /// Takes its body, to read after the rest of the request is gone.
    pub fn into_body(mut self) -> RequestBody {
        std::mem::take(&mut self.parts_mut().body)
    }

    /// What the route's names in braces matched, in their order.
    pub fn params(&self) -> &[(Rc<str>, String)] {
        &self.parts().extras.params
    }

    /// Sets what [`param`](Self::param) finds; for routers.
    pub fn set_params(&mut self, params: Vec<(Rc<str>, String)>) {
        self.parts_mut().extras_mut().params = params;
    }

    /// Says which router found the route; for routers.
    pub(crate) fn set_router(&mut self, router: Rc<dyn Any>) {
        self.parts_mut().extras_mut().router = Some(router);
    }

    /// What the router left of itself.
    pub(crate) fn router(&self) -> Option<&Rc<dyn Any>> {
        self.parts().extras.router.as_ref()
    }

    /// How the client reached the first server of ours: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.parts().extras.scheme.unwrap_or("http")
    }

    /// Sets the scheme; for what knows of proxies.
    pub fn set_scheme(&mut self, scheme: &'static str) {
        self.parts_mut().extras_mut().scheme = Some(scheme);
    }
}

impl Drop for Request {
    #[inline]
    fn drop(&mut self) {
        let Some(mut parts) = self.0.take() else {
            return;
        };
        parts.clear();
        pool::give_request(parts);
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method_text())
            .field("target", &self.parts().head.target())
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}
