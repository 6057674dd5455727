//! RelationService.

use tonic::{Request, Response, Status};

use super::convert::{app_call, usernames};
use crate::{
    domain::Username,
    ops::relations,
    proto::{self, relation_service_server::RelationService},
};

pub(super) struct RelationApi;

#[tonic::async_trait]
impl RelationService for RelationApi {
    async fn check_relations(
        &self,
        request: Request<proto::CheckRelationsRequest>,
    ) -> Result<Response<proto::CheckRelationsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let user = Username::parse("username", &message.username)?;
        let others = usernames("others", &message.others, call.core.bounds.check_names)?;
        let relations = relations::check(&call, &user, &others).await?;
        let relations =
            others.into_iter().zip(relations).map(|(other, relation)| proto::Relation {
                username: other.into_string(),
                is_friend: relation.is_friend,
                blocks: relation.blocks,
                blocked_by: relation.blocked_by,
            });
        Ok(Response::new(proto::CheckRelationsResponse { relations: relations.collect() }))
    }
}
