//! The description of both surfaces.

use axum::Router;

/// The route of the description.
pub(super) fn routes() -> Router {
    Router::new()
}
