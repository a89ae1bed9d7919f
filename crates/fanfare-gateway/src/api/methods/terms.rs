//! The terms on which a call subscribes clients.

use base64::{Engine, engine::general_purpose::STANDARD};
use fanfare_hub::calls::call;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};
use utoipa::ToSchema;

use super::history::Since;
use crate::api::{call::Call, data, error::ApiError};

/// The longest information about a client or a subscription, in bytes, as in a token.
const LONGEST_INFO: usize = fanfare_auth::Claims::MAX_INFO_BYTES;

/// Options of the channel for these clients. Others than these are ignored: the namespace decides.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct Override {
    /// Whether the clients hear of clients that join and leave, whether they ask or not.
    force_push_join_leave: Option<Switch>,
}

/// An option that is on or off.
#[derive(Debug, ToSchema)]
pub(crate) struct Switch {
    value: bool,
}

/// By way of a map: serde would take arrays for objects, by the order of the fields.
impl TryFrom<Map<String, Value>> for Override {
    type Error = &'static str;

    fn try_from(options: Map<String, Value>) -> Result<Self, Self::Error> {
        let wrong = "force_push_join_leave is an object with a `value` that is true or false";
        let force_push_join_leave = match options.get("force_push_join_leave") {
            None | Some(Value::Null) => None,
            Some(Value::Object(switch)) => {
                Some(Switch { value: switch.get("value").and_then(Value::as_bool).ok_or(wrong)? })
            }
            Some(_) => return Err(wrong),
        };
        Ok(Self { force_push_join_leave })
    }
}

/// The fields of a request.
pub(super) struct Fields {
    pub(super) info: Option<Box<RawValue>>,
    pub(super) b64info: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) b64data: Option<String>,
    pub(super) expire_at: Option<u64>,
    pub(super) recover_since: Option<Since>,
    pub(super) overrides: Option<Override>,
}

/// The terms of these fields.
///
/// # Errors
/// A field has a wrong value.
pub(super) fn terms(fields: Fields, call: &Call<'_>) -> Result<call::Terms, ApiError> {
    let Fields { info, b64info, data, b64data, expire_at, recover_since, overrides } = fields;
    let pushed = overrides.unwrap_or_default().force_push_join_leave;
    Ok(call::Terms {
        info: both(info, b64info)?,
        data: payload(data, b64data, call)?,
        expires_at: expire_at.filter(|seconds| *seconds > 0),
        joins: pushed.is_some_and(|pushed| pushed.value),
        since: recover_since.map(|Since { offset, epoch }| call::Since {
            offset,
            epoch: epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
        }),
    })
}

/// Information in JSON, or the same in base64.
fn both(info: Option<Box<RawValue>>, encoded: Option<String>) -> Result<Option<String>, ApiError> {
    match (info, encoded.filter(|encoded| !encoded.is_empty())) {
        (info, None) => self::info(info),
        (Some(_), Some(_)) => Err(ApiError::Field("info and b64info exclude each other".into())),
        (None, Some(encoded)) => {
            let bytes = STANDARD.decode(encoded).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let json = text.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
            let json = json.ok_or_else(|| ApiError::Field("b64info is not JSON in base64".into()))?;
            bounded(json).map(Some)
        }
    }
}

/// Information in JSON.
///
/// # Errors
/// It is too long.
pub(super) fn info(info: Option<Box<RawValue>>) -> Result<Option<String>, ApiError> {
    info.map(|info| bounded(info.get().to_owned())).transpose()
}

fn bounded(info: String) -> Result<String, ApiError> {
    let found = info.len();
    if found > LONGEST_INFO {
        return Err(ApiError::Field(format!("info has {found} bytes, and may have {LONGEST_INFO}")));
    }
    Ok(info)
}

fn payload(
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    call: &Call<'_>,
) -> Result<Option<call::Data>, ApiError> {
    let b64data = b64data.filter(|encoded| !encoded.is_empty());
    if data.is_none() && b64data.is_none() {
        return Ok(None);
    }
    let payload = data::payload(data, b64data)?;
    let allowed = call.gateway.hub.settings.message_bytes();
    if payload.len() > allowed {
        return Err(ApiError::TooLarge { found: payload.len(), allowed });
    }
    Ok(Some(call::Data::from(&payload)))
}
