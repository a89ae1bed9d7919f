//! `POST /api/channels`: the channels with a subscriber, on any node.

use std::collections::BTreeMap;

use fanfare_hub::calls::{
    call::{self, Answer, Selection},
    gather::Gathered,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clients;
use crate::{
    api::{
        call::{Call, Method, endpoint},
        error::ApiError,
    },
    http::endpoint::Endpoint,
};

/// The endpoint.
pub(crate) const ENDPOINT: Endpoint = endpoint::<Channels>(&["/api/channels"]);

/// The most channels of an answer.
const MOST: usize = 1000;

/// The channels with a subscriber.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channels {
    /// A name, in which `*` stands for any text; absent for all channels.
    pattern: Option<String>,
}

/// Channels.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChannelsResult)]
pub(crate) struct Found {
    /// Each channel by its name: at most 1,000.
    channels: BTreeMap<String, ChannelInfo>,
    /// Whether there are more: ask for fewer by a pattern.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    /// The nodes that did not answer: their subscribers are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silent_nodes: Vec<String>,
}

/// A channel.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ChannelInfo {
    /// The number of its subscribers.
    num_clients: u64,
}

impl Method for Channels {
    const NAME: &'static str = "channels";
    const SUMMARY: &'static str = "The channels with a subscriber";
    const TAKES: &'static str = "{}, if wanted with \"pattern\"";
    type Result = Found;

    async fn call(self, call: &Call<'_>) -> Result<Found, ApiError> {
        let question = call::Call::Channels { pattern: self.pattern, limit: MOST };
        let Gathered { answers, silent } = clients::ask(call, &Selection::default(), question).await?;
        let (mut found, mut more) = (BTreeMap::<String, ChannelInfo>::new(), false);
        for (_, answer) in answers {
            let Answer::Channels { channels, more: has_more } = answer else { continue };
            more |= has_more;
            for (channel, members) in channels {
                found.entry(channel).or_default().num_clients += members;
            }
        }
        while found.len() > MOST {
            found.pop_last();
            more = true;
        }
        Ok(Found { channels: found, more, silent_nodes: silent })
    }
}
