//! A dialect of lines: `sub a`, `unsub a`, `pub a hello`, answered with `ok 1` or `error 1 why` (commands are
//! counted from 1); a publication is `a hello`, news of the client of session 7 is `joined a 7` or `left a 7`. The server
//! pings with `ping`, the client answers `pong`.
//!
//! A client that connects says `connect` or `connect TOKEN`, then where it was in channels: `a=*:3`. A place is an
//! epoch and an offset; the epoch `*` is any, and `?` is one of another server. More commands, whose words may be left
//! out: `sub a since=*:3 must joins delta token=T only=k:1,2` (the tag `k` is one of these),
//! `history a since=*:3 limit=2 reverse`, `presence a`, `stats a`, `refresh T`, `subrefresh a T`, `call METHOD DATA`,
//! which is answered with `answer 1 DATA`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use fanfare_core::{
    Answer, CloseFrame, Command, CommandError, Decoder, DeltaForms, Dialect, Disconnect, EncodingId, Goodbye,
    Liveness, Message, Payload, Ping, Publication, PublishError, Push, Reply, Request, TagFilter,
    attributes::PresenceChange,
    command::{ClientToken, Connect, HistoryQuery, RequestId, ResumeEpoch, ResumeFrom, SubscribeOptions},
    dialect::Unsubscribed,
    filter::{Condition, Test},
    presence::PresenceEntry,
    reply::Subscription,
};

use super::channel;

const LINES: EncodingId = EncodingId(200);

/// The dialect. Each test has its own, which counts for it.
pub(crate) struct Lines {
    answers: bool,
    liveness: Liveness,
    says_goodbye: bool,
    names_publisher: bool,
    tells_gaps: bool,
    encoded: AtomicUsize,
}

impl Lines {
    /// Every command is answered.
    pub(crate) fn answering() -> &'static Self {
        Self::leak(true, Liveness::AnyRead, false)
    }

    /// As [`Lines::answering`]; only the answer to a ping is a sign of life, and a goodbye is a message too.
    pub(crate) fn strict() -> &'static Self {
        Self::leak(true, Liveness::Pong, true)
    }

    /// As [`Lines::answering`], for clients that only listen.
    pub(crate) fn listening() -> &'static Self {
        Self::leak(true, Liveness::AnyWrite, false)
    }

    /// None is: like the relay's, a failure can only be said by ending the session.
    pub(crate) fn silent() -> &'static Self {
        Self::leak(false, Liveness::AnyRead, false)
    }

    /// As [`Lines::answering`]; subscribers are told who published: `a hello by ann`.
    pub(crate) fn naming() -> &'static Self {
        Box::leak(Box::new(Self { names_publisher: true, ..Self::new(true, Liveness::AnyRead, false) }))
    }

    /// As [`Lines::listening`]; a gap is told where it is: `gap a 3`.
    pub(crate) fn telling_gaps() -> &'static Self {
        Box::leak(Box::new(Self { tells_gaps: true, ..Self::new(true, Liveness::AnyWrite, false) }))
    }

    fn leak(answers: bool, liveness: Liveness, says_goodbye: bool) -> &'static Self {
        Box::leak(Box::new(Self::new(answers, liveness, says_goodbye)))
    }

    fn new(answers: bool, liveness: Liveness, says_goodbye: bool) -> Self {
        let (names_publisher, tells_gaps, encoded) = (false, false, AtomicUsize::new(0));
        Self { answers, liveness, says_goodbye, names_publisher, tells_gaps, encoded }
    }

    /// How many publications it encoded.
    pub(crate) fn encoded(&self) -> usize {
        self.encoded.load(Ordering::Relaxed)
    }
}

pub(crate) fn text(line: impl Into<String>) -> Message {
    Message::Text(Bytes::from(line.into()))
}

/// The server's ping.
pub(crate) fn ping() -> Message {
    text("ping")
}

impl Dialect for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn encoding(&self) -> EncodingId {
        LINES
    }

    fn publication(&self, publication: &Publication) -> Message {
        self.encoded.fetch_add(1, Ordering::Relaxed);
        if let Some(news) = news(publication) {
            return text(news);
        }
        if publication.is_gap() {
            let place = publication.position.map_or(0, |at| at.offset);
            return text(format!("gap {} {place}", publication.channel));
        }
        let payload = std::str::from_utf8(publication.payload.bytes()).unwrap();
        let publisher = publication.attributes.as_ref().and_then(|attributes| attributes.publisher.as_ref());
        let by = publisher.map_or(String::new(), |publisher| format!(" by {}", entry(publisher)));
        text(format!("{} {payload}{by}", publication.channel))
    }

    fn delta(&self) -> Option<DeltaForms> {
        Some(DeltaForms { full: &FULL, patch: &PATCH })
    }

    fn names_publisher(&self) -> bool {
        self.names_publisher
    }

    fn tells_gaps(&self) -> bool {
        self.tells_gaps
    }

    fn reply(&self, reply: &Reply) -> Answer {
        match reply {
            _ if self.answers => Answer::Send(text(answer(reply))),
            Reply::Failed { error: CommandError::Publish(PublishError::Refused(_)), .. } => {
                Answer::End(Disconnect::PublishRefused)
            }
            Reply::Failed { error, .. } => Answer::End(Disconnect::NotPermitted(error.to_string().into())),
            _ => Answer::Nothing,
        }
    }

    fn ping(&self) -> Ping {
        Ping::Message(ping())
    }

    fn push(&self, push: &Push) -> Option<Message> {
        Some(text(match push {
            Push::Subscribed { channel, position, data } => {
                let at = position.map_or(String::new(), |position| format!(" at {}", position.offset));
                format!("subscribed {channel}{at}{}", word(data.as_ref()))
            }
            Push::Unsubscribed { channel, reason: Unsubscribed::Expired } => format!("expired {channel}"),
            Push::Unsubscribed { channel, reason: Unsubscribed::Interrupted } => format!("lost {channel}"),
            Push::Unsubscribed { channel, .. } => format!("unsubscribed {channel}"),
            Push::Refreshed { expires_in } => format!("refreshed {}", expires_in.is_some()),
            Push::Message(payload) => format!("message {}", std::str::from_utf8(payload.bytes()).unwrap()),
        }))
    }

    fn liveness(&self) -> Liveness {
        self.liveness
    }

    fn goodbye(&self, disconnect: &Disconnect) -> Goodbye {
        let message = self.says_goodbye.then(|| text(format!("goodbye {}", disconnect.name())));
        Goodbye { message, frame: frame(disconnect) }
    }
}

/// The forms for clients that get differences: `a =2` is whole, and `a 1>2` the difference to `1`.
struct Form {
    encoding: EncodingId,
    is_patch: bool,
}

static FULL: Form = Form { encoding: EncodingId(201), is_patch: false };
static PATCH: Form = Form { encoding: EncodingId(202), is_patch: true };

impl Dialect for Form {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn encoding(&self) -> EncodingId {
        self.encoding
    }

    fn publication(&self, publication: &Publication) -> Message {
        if let Some(news) = news(publication) {
            return text(news);
        }
        let said = |payload: &Payload| String::from_utf8(payload.bytes().to_vec()).unwrap();
        let before = publication.previous().filter(|_| self.is_patch);
        let before = before.map_or("=".to_owned(), |before| format!("{}>", said(before)));
        text(format!("{} {before}{}", publication.channel, said(&publication.payload)))
    }

    fn reply(&self, _: &Reply) -> Answer {
        Answer::Nothing
    }

    fn ping(&self) -> Ping {
        Ping::Message(ping())
    }

    fn goodbye(&self, _: &Disconnect) -> Goodbye {
        Goodbye::default()
    }
}

fn news(publication: &Publication) -> Option<String> {
    let attributes = publication.attributes.as_ref()?;
    let word = match attributes.presence? {
        PresenceChange::Joined => "joined",
        PresenceChange::Left => "left",
    };
    let client = attributes.publisher.as_ref().unwrap().client;
    Some(format!("{word} {} {}", publication.channel, client.session.0))
}

fn frame(disconnect: &Disconnect) -> Option<CloseFrame> {
    Some(match disconnect {
        Disconnect::Lost | Disconnect::NoPong => return None,
        Disconnect::ByClient(code) => CloseFrame::new(code.unwrap_or(0), "bye"),
        Disconnect::Protocol { code, reason } => CloseFrame::new(*code, reason.clone()),
        Disconnect::TurnedAway(frame) | Disconnect::ByServer(frame) => frame.clone(),
        Disconnect::BadRequest(reason) => CloseFrame::new(71, reason.clone()),
        Disconnect::BadToken(reason) => CloseFrame::new(83, reason.clone()),
        Disconnect::NotAvailable(reason) => CloseFrame::new(84, reason.clone()),
        Disconnect::Unavailable(reason) => CloseFrame::new(86, reason.clone()),
        Disconnect::TooManyChannels { .. } => CloseFrame::new(87, "too many channels"),
        Disconnect::Stale => CloseFrame::new(85, "stale"),
        Disconnect::NotPermitted(reason) => CloseFrame::new(72, reason.clone()),
        Disconnect::PublishRefused => CloseFrame::new(73, "refused"),
        Disconnect::PublishUnknown => CloseFrame::new(74, "unknown"),
        Disconnect::Slow => CloseFrame::new(75, "slow"),
        Disconnect::Restart => CloseFrame::new(76, "restart"),
        Disconnect::Interrupted => CloseFrame::new(79, "interrupted"),
        Disconnect::Expired => CloseFrame::new(78, "expired"),
        Disconnect::SubscriptionExpired => CloseFrame::new(88, "subscription expired"),
        Disconnect::Idle => CloseFrame::new(77, "idle"),
        Disconnect::MessageTooBig { .. } => CloseFrame::new(79, "too big"),
        Disconnect::MessageGaveWay => CloseFrame::new(82, "gave way"),
        Disconnect::MessageTooSlow { .. } => CloseFrame::new(81, "too slow"),
        Disconnect::RateLimited(_) => CloseFrame::new(80, "too fast"),
    })
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Subscribed { id, subscription, .. } => format!("ok {id}{}", told(subscription)),
        Reply::Unsubscribed { id, .. } | Reply::Published { id } => format!("ok {id}"),
        Reply::Failed { id, error } => format!("error {id} {error}"),
        Reply::Connected(connected) => {
            let channels = connected.subscriptions.iter();
            let channels = channels.map(|(channel, told_of)| format!(" {channel}{}", told(told_of)));
            let expires = connected.expires_in.map_or("", |_| " expires");
            let data = word(connected.data.as_ref());
            format!("connected {}{expires}{data}{}", connected.id, channels.collect::<String>())
        }
        Reply::History { id, top, publications } => {
            format!("history {id}{} of {}", texts(publications), top.offset)
        }
        Reply::Presence { id, entries } => {
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("presence {id} {}", entries.join(" "))
        }
        Reply::Rpc { id, data } => format!("answer {id}{}", word(data.as_ref())),
        Reply::PresenceStats { id, stats } => format!("stats {id} {} {}", stats.clients, stats.users),
        Reply::Refreshed { id, expires_in, .. } | Reply::SubscriptionRefreshed { id, expires_in } => {
            format!("refreshed {id}{}", expires_in.map_or("", |_| " expires"))
        }
    }
}

/// ` whole 3 4` with the recovered texts, or ` lost`; ` delta`; ` expires`.
fn told(subscription: &Subscription) -> String {
    let recovered = match &subscription.recovered {
        None => String::new(),
        Some(recovered) if recovered.is_whole => format!(" whole{}", texts(&recovered.publications)),
        Some(_) => " lost".to_owned(),
    };
    let data = word(subscription.data.as_ref());
    let delta = if subscription.delta { " delta" } else { "" };
    format!("{recovered}{delta}{}{data}", subscription.expires_in.map_or("", |_| " expires"))
}

/// ` DATA`, or nothing.
fn word(data: Option<&Payload>) -> String {
    data.map_or(String::new(), |data| format!(" {}", std::str::from_utf8(data.bytes()).unwrap()))
}

fn texts(publications: &[Arc<Publication>]) -> String {
    let texts =
        publications.iter().map(|publication| std::str::from_utf8(publication.payload.bytes()).unwrap());
    texts.map(|text| format!(" {text}")).collect()
}

/// A user, and what is known of its subscription.
fn entry(entry: &PresenceEntry) -> String {
    let info = entry.channel_info.as_ref().map(|info| std::str::from_utf8(info).unwrap());
    format!("{}{}", entry.user.as_deref().unwrap_or("nobody"), info.unwrap_or_default())
}

/// Reads the lines of one client.
#[derive(Debug, Default)]
pub(crate) struct LinesDecoder {
    commands: RequestId,
}

impl Decoder for LinesDecoder {
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect> {
        let line = std::str::from_utf8(message.bytes()).unwrap();
        match line {
            "pong" => requests.push(Request::Pong),
            "hello" => requests.push(Request::Answer(text("hello yourself"))),
            _ => requests.push(Request::Command(self.command(line)?)),
        }
        Ok(())
    }
}

impl LinesDecoder {
    fn command(&mut self, line: &str) -> Result<Command, Disconnect> {
        let id = self.commands + 1;
        let mut words = line.splitn(3, ' ');
        let (verb, name, rest) = (words.next(), words.next(), words.next());
        let command = match (verb.unwrap_or_default(), name, rest) {
            ("connect", token, rest) => connect(id, token, rest.unwrap_or_default()),
            ("sub", Some(name), rest) => {
                Command::Subscribe { id, options: rest.map(options), channel: channel(name) }
            }
            ("unsub", Some(name), None) => Command::Unsubscribe { id, channel: channel(name) },
            ("pub", Some(name), Some(payload)) => {
                Command::Publish { id, channel: channel(name), payload: Payload::text(payload) }
            }
            ("history", Some(name), rest) => {
                Command::History { id, channel: channel(name), query: query(rest.unwrap_or_default()) }
            }
            ("call", Some(method), data) => {
                Command::Rpc { id, method: method.into(), data: data.map(Payload::text) }
            }
            ("presence", Some(name), None) => Command::Presence { id, channel: channel(name) },
            ("stats", Some(name), None) => Command::PresenceStats { id, channel: channel(name) },
            ("refresh", Some(token), None) => Command::Refresh { id, token: ClientToken::new(token) },
            ("subrefresh", Some(name), Some(token)) => {
                Command::RefreshSubscription { id, channel: channel(name), token: ClientToken::new(token) }
            }
            _ => return Err(Disconnect::BadRequest("say sub, unsub or pub".into())),
        };
        self.commands = id;
        Ok(command)
    }
}

fn connect(id: RequestId, token: Option<&str>, rest: &str) -> Command {
    let resume = rest.split_whitespace().map(|word| {
        let (name, at) = word.split_once('=').unwrap();
        (channel(name), place(at))
    });
    Command::Connect(Box::new(Connect {
        id,
        token: token.map(ClientToken::new),
        resume: resume.collect(),
        ..Connect::default()
    }))
}

fn options(rest: &str) -> Box<SubscribeOptions> {
    let mut options = Box::<SubscribeOptions>::default();
    for word in rest.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("since", at) => options.resume = Some(place(at)),
            ("token", token) => options.token = Some(ClientToken::new(token)),
            ("must", _) => options.must_resume = true,
            ("joins", _) => options.joins = true,
            ("delta", _) => options.delta = true,
            ("only", of) => options.filter = Some(Arc::new(filter(of))),
            _ => panic!("no option: {word}"),
        }
    }
    options
}

fn filter(of: &str) -> TagFilter {
    let (name, values) = of.split_once(':').unwrap();
    let test = Test::In(values.split(',').map(str::to_owned).collect());
    TagFilter::new(Condition::Tag { name: name.to_owned(), test }).unwrap()
}

fn query(rest: &str) -> HistoryQuery {
    let mut query = HistoryQuery::default();
    for word in rest.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("since", at) => query.since = Some(place(at)),
            ("limit", limit) => query.limit = Some(limit.parse().unwrap()),
            ("reverse", _) => query.reverse = true,
            _ => panic!("no part: {word}"),
        }
    }
    query
}

fn place(at: &str) -> ResumeFrom {
    let (epoch, offset) = at.split_once(':').unwrap();
    let epoch = match epoch {
        "*" => ResumeEpoch::Any,
        "?" => ResumeEpoch::Foreign,
        epoch => ResumeEpoch::Is(epoch.parse().unwrap()),
    };
    ResumeFrom { epoch, offset: offset.parse().unwrap() }
}
