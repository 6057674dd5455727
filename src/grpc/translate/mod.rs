//! The forms of calls beside gRPC's own: the Connect protocol, which is JSON over plain HTTP, and gRPC-Web.
//!
//! A request becomes one of gRPC before the gate, and the answer is written in the request's form: all that
//! lies behind, from the deadline to the log line, is the same for every form.

mod calls;
mod codec;
mod cors;
mod error;
mod form;
mod gzip;
mod query;
mod refusal;
mod request;
mod response;
mod stream;

use std::{
    convert::Infallible,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderName, HeaderValue, Method, Request, Response, Version,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::Full;
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service};

pub use self::cors::CorsOrigins;
use self::{
    calls::{Bounds, Call, Calls},
    codec::Codec,
    cors::Page,
    form::{Form, text},
    query::Query,
    request::{CallBody, Written},
    response::Wanted,
};
use super::{gate::client_timeout, protocol};
use crate::{
    domain::Invalid,
    early_answer::Rest,
    gate::{self, NoCall, REQUEST_ID, Surface},
};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const STREAM_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const STREAM_ACCEPT: HeaderName = HeaderName::from_static("connect-accept-encoding");

/// How long the request of a call that does not pass the gate may take to come.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The other forms, as a layer around the gate.
#[derive(Clone, Debug)]
pub struct TranslateLayer(Arc<Forms>);

#[derive(Debug)]
struct Forms {
    calls: Calls,
    cors: Option<CorsOrigins>,
}

impl TranslateLayer {
    /// A layer that takes messages of at most `own` bytes, or `open` bytes for the services that answer without
    /// the gate, and calls from pages of these origins.
    #[must_use]
    pub fn new(own: usize, open: usize, cors: Option<CorsOrigins>) -> Self {
        Self(Arc::new(Forms { calls: Calls::read(Bounds { own, open }), cors }))
    }
}

impl<S> Layer<S> for TranslateLayer {
    type Service = Translated<S>;

    fn layer(&self, inner: S) -> Translated<S> {
        Translated { inner, forms: Arc::clone(&self.0) }
    }
}

/// A service of gRPC that takes the other forms as well.
#[derive(Clone, Debug)]
pub struct Translated<S> {
    inner: S,
    forms: Arc<Forms>,
}

/// A service of gRPC.
pub trait GrpcService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = ResponseFuture>
    + Clone
    + Send
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future = ResponseFuture,
        > + Clone
        + Send
        + 'static
{
}

impl<S: GrpcService> Service<Request<Body>> for Translated<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let is_call = request.method() == Method::POST && protocol::is_grpc(request.headers());
        if is_call || !protocol::is_grpc_path(request.uri().path()) {
            return self.inner.call(request);
        }
        // tower requires that the service that was polled ready is the one that is called.
        let ready = self.inner.clone();
        let inner = mem::replace(&mut self.inner, ready);
        let forms = Arc::clone(&self.forms);
        Box::pin(async move {
            let rest = Rest::of(&mut request, Body::new);
            let page = forms.cors.as_ref().map(|origins| Page::of(origins, &request));
            let mut response = match page.as_ref().and_then(Page::preflight) {
                Some(preflight) => preflight,
                None => forms.answer(inner, request).await,
            };
            if let Some(page) = page {
                page.show(&mut response);
            }
            if let Some(rest) = rest {
                rest.finish(&mut response).await;
            }
            Ok(response)
        })
    }
}

/// The form of a request, and what it calls: over gRPC-Web that is found out behind.
type Chosen = (Form, Option<Arc<Call>>);

/// What is wrong with a request that is no call, and the response to it.
type Refusal = (NoCall, Response<Body>);

impl Forms {
    async fn answer<S: GrpcService>(&self, inner: S, request: Request<Body>) -> Response<Body> {
        match self.form(&request) {
            Ok(form) => self.call(form, inner, request).await,
            Err(refusal) => {
                let (what, mut response) = *refusal;
                let id = gate::request_id(request.headers());
                let surface = Form::of(request.headers()).map_or(Surface::Grpc, Form::surface);
                what.count(surface, request.uri().path(), &id);
                response.headers_mut().insert(REQUEST_ID, id);
                response
            }
        }
    }

    /// What a request calls, and how; or why it is no call.
    fn form(&self, request: &Request<Body>) -> Result<Chosen, Box<Refusal>> {
        let (method, path) = (request.method(), request.uri().path());
        let form = Form::of(request.headers());
        if form == Some(Form::GrpcWeb) && method == Method::POST {
            return Ok((Form::GrpcWeb, None));
        }
        let call = self.calls.get(path);
        if call.is_none() && Calls::is_path(path) {
            return Err(Box::new((NoCall::Unimplemented, refusal::no_method(method, path))));
        }
        match (call, form) {
            (Some(call), _) if call.by_get && method == Method::GET => {
                Ok((Form::Unary(Codec::Json), Some(Arc::clone(call))))
            }
            _ if method != Method::POST => {
                let response = refusal::not_allowed(method, call.map(|call| &**call));
                Err(Box::new((NoCall::Method, response)))
            }
            (Some(call), Some(form)) if matches!(form, Form::Stream(_)) == call.streams => {
                Ok((form, Some(Arc::clone(call))))
            }
            _ => {
                let response = refusal::unsupported(call.map(|call| &**call));
                Err(Box::new((NoCall::ContentType, response)))
            }
        }
    }

    async fn call<S: GrpcService>(
        &self,
        (form, call): Chosen,
        mut inner: S,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let (codec, call) = match (form, call) {
            (Form::Unary(codec) | Form::Stream(codec), Some(call)) => (codec, call),
            _ => {
                *request.version_mut() = Version::HTTP_2;
                request.extensions_mut().insert(Surface::GrpcWeb);
                form::name_web(request.headers_mut());
                let Ok(response) = GrpcWebLayer::new().layer(inner).call(request).await;
                return response;
            }
        };
        let by_get = request.method() == Method::GET;
        let (request, wanted) =
            if by_get { by_url(request, &call) } else { by_post(request, codec, &call) };
        let Ok(answer) = inner.call(request).await;
        if call.streams {
            return stream::stream(answer, wanted);
        }
        let mut response = response::unary(answer, &wanted).await;
        if by_get {
            // Answers are for the holder of the token, and lists change.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }
}

fn by_url(request: Request<Body>, call: &Call) -> (Request<Body>, Wanted) {
    let (read, refusal) = Query::read(request.uri().query().unwrap_or_default());
    let codec = read.codec.unwrap_or(Codec::Json);
    let gzip = gzip::is_accepted(text(request.headers(), &ACCEPT_ENCODING));
    let wanted = Wanted { codec, kind: call.output.clone(), gzip, ends_at: None };
    let written = written(codec, call, read.gzip);
    let request = request.map(|_| Body::new(Full::new(read.message)));
    (as_grpc(request, written, refusal), wanted)
}

fn by_post(request: Request<Body>, codec: Codec, call: &Call) -> (Request<Body>, Wanted) {
    let headers = request.headers();
    let (sent, accepted) = if call.streams {
        (text(headers, &STREAM_ENCODING), text(headers, &STREAM_ACCEPT))
    } else {
        (text(headers, &CONTENT_ENCODING), text(headers, &ACCEPT_ENCODING))
    };
    let gzip = gzip::is_accepted(accepted);
    let mut wanted = Wanted { codec, kind: call.output.clone(), gzip, ends_at: None };
    let is_compressed = gzip::is_compressed(sent).and_then(|is_compressed| {
        let version = headers.get(PROTOCOL_VERSION);
        if version.is_some_and(|version| version != "1") {
            return Err(Invalid::argument(PROTOCOL_VERSION, "must be 1").into());
        }
        Ok(is_compressed)
    });
    let mut written = written(codec, call, is_compressed.as_ref().is_ok_and(|gzip| *gzip));
    let mut refusal = is_compressed.err();
    if call.is_open {
        // The gate does this for the other calls.
        let timeout = client_timeout(Surface::Connect, headers).unwrap_or_else(|error| {
            refusal = Some(error.into());
            None
        });
        wanted.ends_at = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let patience = timeout.map_or(OPEN_PATIENCE, |timeout| timeout.min(OPEN_PATIENCE));
        written.patience = Some(patience);
    }
    (as_grpc(request, written, refusal), wanted)
}

fn written(codec: Codec, call: &Call, gzip: bool) -> Written {
    let (kind, in_envelope) = (call.input.clone(), call.streams);
    Written { codec, kind, gzip, in_envelope, max: call.max, patience: None }
}

/// The same call as gRPC makes it. What is wrong with it, `refusal`, is found out where its message is read, so
/// that such a call is authenticated, counted and logged as any other.
fn as_grpc(request: Request<Body>, written: Written, refusal: Option<Status>) -> Request<Body> {
    let mut request = request.map(|body| Body::new(CallBody::new(body, written, refusal)));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    request.extensions_mut().insert(Surface::Connect);
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    for name in [CONTENT_LENGTH, CONTENT_ENCODING] {
        headers.remove(name);
    }
    // Compression is translated, and so never asked for behind.
    for name in ["grpc-encoding", "grpc-accept-encoding"] {
        headers.remove(name);
    }
    request
}
