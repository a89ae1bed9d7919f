//! One of several results of a call.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::error::{ApiError, ErrorBody},
    gateway::Gateway,
    metrics::Why,
};

/// One of several results: the call was carried out, and this part of it was or was not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Item<T> {
    /// It was.
    Done {
        /// Its result.
        result: T,
    },
    /// It was not.
    Failed {
        /// The error.
        error: ErrorBody,
    },
}

impl<T> Item<T> {
    pub(super) fn new(result: Result<T, ApiError>, gateway: &Gateway) -> Self {
        match result {
            Ok(result) => Self::Done { result },
            Err(error) => Self::Failed { error: told(&error, gateway) },
        }
    }
}

/// The error of a part, which is counted as that of a call.
pub(super) fn told(error: &ApiError, gateway: &Gateway) -> ErrorBody {
    gateway.metrics.refused(Why::Api(error.reason()), error.limit());
    error.told()
}
