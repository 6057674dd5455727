//! Calls by descriptor: every method there is, also those that nobody thought of when a test was
//! written, with whatever bytes as their message.

use befriend::proto::DESCRIPTORS;
use prost::bytes::{Buf as _, BufMut as _};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{AsciiMetadataKey, MetadataValue},
    transport::Channel,
};

/// All methods of package befriend.v1.
pub fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the descriptors are sound");
    let services = pool.services().filter(|service| service.package_name() == "befriend.v1");
    let methods: Vec<_> = services.flat_map(|s| s.methods().collect::<Vec<_>>()).collect();
    assert!(!methods.is_empty(), "the descriptors hold no method");
    methods
}

/// A method's name as logs and counters have it: "FriendService/AddFriend".
pub fn operation(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

/// Calls a method with this message and these headers. Of a stream of answers it takes the first.
pub async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    headers: &[(&'static str, &str)],
    message: Vec<u8>,
) -> Result<Vec<u8>, Status> {
    assert!(
        !method.is_client_streaming(),
        "{} takes a stream: teach support::raw::call to call it",
        method.full_name()
    );
    let mut request = Request::new(message);
    for (name, value) in headers {
        let value: MetadataValue<_> = value.parse().expect("the header can be sent");
        request.metadata_mut().insert(AsciiMetadataKey::from_static(name), value);
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("the server is there");
    let path = path.parse().expect("a method has a path");
    if !method.is_server_streaming() {
        return Ok(client.unary(request, path, Bytes).await?.into_inner());
    }
    let mut answers = client.server_streaming(request, path, Bytes).await?.into_inner();
    Ok(answers.message().await?.unwrap_or_default())
}

/// Hands messages through as they are.
#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}
