use std::task::{Context, Waker};

use fanfare_core::{Incarnation, SessionId, presence::Entered};

use super::*;

fn client(session: u64) -> ClientId {
    ClientId { node: Incarnation(1), session: SessionId(session) }
}

fn entry(session: u64) -> PresenceEntry {
    PresenceEntry { client: client(session), user: None, client_info: None, channel_info: None }
}

#[test]
fn a_change_stays_until_it_was_taken() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let channel = Channel::new("a").unwrap();
    local.enter(&channel, &entry(1));
    let mut changes = local.take(10);
    assert_eq!(changes.len(), 1);
    assert!(local.take(10).is_empty());
    local.leave(&channel, client(1));
    changes.iter_mut().for_each(Change::doubt);
    local.put_back(changes);
    let again = local.take(10);
    let last = again.last().and_then(|change| change.fields.last()).unwrap();
    assert_eq!((last.client, &last.entry), (client(1), &None), "the newest state is written");
    assert!(local.channels().is_empty());
}

#[test]
fn who_waits_is_told_of_its_own_batch() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let [a, b] = ["a", "b"].map(|name| Channel::new(name).unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    let mut is_told = |told: &mut Entered| told.as_mut().poll(&mut cx).is_ready();
    assert!(local.entered(&a).is_none(), "nothing is to be written");
    local.enter(&b, &entry(1));
    local.enter(&a, &entry(1));
    let of = |channel| -> Entered { Box::pin(local.entered(channel).unwrap()) };
    let (mut first, mut other) = (of(&a), of(&b));
    local.take(1);
    let mut second = of(&a);
    assert!(!is_told(&mut first) && !is_told(&mut second));
    local.tried(true);
    assert!(is_told(&mut first) && is_told(&mut second) && !is_told(&mut other));
    assert!(local.entered(&a).is_none());
    local.give_up();
    assert!(is_told(&mut other));
}

#[test]
fn nobody_waits_while_redis_refuses() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let [a, b] = ["a", "b"].map(|name| Channel::new(name).unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    local.enter(&a, &entry(1));
    local.enter(&b, &entry(1));
    let refused = local.take(1);
    let waiting = [&a, &b].map(|channel| Box::pin(local.entered(channel).unwrap()));
    local.tried(false);
    for mut told in waiting {
        assert!(told.as_mut().poll(&mut cx).is_ready());
    }
    local.put_back(refused);
    assert!(local.entered(&a).is_none() && local.entered(&b).is_none());
    local.take(1);
    assert!(local.entered(&a).is_none(), "it is being tried again");
    local.tried(true);
    assert!(local.entered(&a).is_none() && local.entered(&b).is_some());
}

#[test]
fn a_channel_with_members_is_occupied() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    local.members_of(Box::new(|channel| channel.as_str() == "told"));
    let [told, quiet] = ["told", "quiet"].map(|name| Channel::new(name).unwrap());
    let occupied = |local: &Local| {
        let taken = local.take(10).into_iter();
        taken.map(|change| (change.channel, change.is_occupied)).collect::<Vec<_>>()
    };
    local.enter(&quiet, &entry(1));
    local.occupy(&quiet, false);
    assert_eq!(occupied(&local), [(quiet.clone(), None)]);
    local.occupy(&told, true);
    local.enter(&told, &entry(1));
    local.occupy(&told, false);
    assert_eq!(occupied(&local), [(told.clone(), Some(true))], "its member is still there");
    local.leave(&told, client(1));
    let vacated = local.take(10);
    assert_eq!(vacated.first().unwrap().is_occupied, Some(false));
    assert!(local.state.lock().told.is_empty());
    local.put_back(vacated);
    assert_eq!(occupied(&local), [(told.clone(), Some(false))], "a change stays until it is written");
    local.occupy(&told, true);
    local.take(10);
    local.write_all_again(Stored::Maybe);
    assert_eq!(occupied(&local), [(quiet, None), (told, Some(true))]);
}

#[test]
fn a_large_channel_is_written_in_parts() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    local.members_of(Box::new(|_| true));
    let channel = Channel::new("a").unwrap();
    (0..25).for_each(|session| local.enter(&channel, &entry(session)));
    let waits = local.entered(&channel).unwrap();
    let taken = |local: &Local| {
        let changes = local.take(10);
        let [change] = &changes[..] else { panic!("{changes:?}") };
        (change.fields.len(), change.is_occupied)
    };
    assert_eq!([taken(&local), taken(&local)], [(10, Some(true)); 2]);
    local.tried(true);
    let (mut told, mut cx) = (Box::pin(waits), Context::from_waker(Waker::noop()));
    assert!(told.as_mut().poll(&mut cx).is_pending(), "five are not written");
    assert_eq!(taken(&local), (5, Some(true)));
    local.tried(true);
    assert!(told.as_mut().poll(&mut cx).is_ready());
    (0..25).for_each(|session| drop(local.leave(&channel, client(session))));
    let left = [taken(&local), taken(&local), taken(&local)];
    assert_eq!(left, [(10, Some(true)), (10, Some(true)), (5, Some(false))], "vacated at last");
    assert!(local.take(10).is_empty() && !local.has_any());
}

#[test]
fn a_lost_channel_is_written_again() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let channel = Channel::new("a").unwrap();
    local.enter(&channel, &entry(1));
    local.enter(&channel, &entry(2));
    local.take(10);
    local.write_again(&channel, Stored::Maybe);
    let fields: usize = local.take(10).iter().map(|change| change.fields.len()).sum();
    assert_eq!(fields, 2);
    assert_eq!(local.held.get(), 2);
}

#[test]
fn a_blocked_channel_is_written_later() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    local.members_of(Box::new(|channel| channel.as_str() == "told"));
    let [told, quiet] = ["told", "quiet"].map(|name| Channel::new(name).unwrap());
    for channel in [&told, &quiet] {
        (0..15).for_each(|session| local.enter(channel, &entry(session)));
    }
    let taken = |local: &Local| {
        let taken = local.take(100).into_iter();
        taken.map(|change| (change.channel, change.is_occupied, change.fields.len())).collect::<Vec<_>>()
    };
    local.take(10);
    assert!(local.block(&quiet) && local.block(&told) && !local.block(&told));
    (10..20).for_each(|session| local.enter(&told, &entry(session)));
    assert_eq!(taken(&local), [(quiet.clone(), None, 0), (told.clone(), Some(true), 0)]);
    local.write_all_again(Stored::Maybe);
    (0..15).for_each(|session| drop(local.leave(&told, client(session))));
    assert_eq!(taken(&local), [(told.clone(), Some(true), 0)]);
    assert!(local.channels().is_empty() && local.blocked().len() == 2);
    local.unblock(&told);
    assert_eq!(taken(&local), [(told.clone(), Some(true), 5)]);
    assert_eq!(local.blocked(), [quiet]);
    assert_eq!(local.channels(), [(told, true)]);
}

#[test]
fn refused_changes_wait_for_all_others() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let channels = ["a", "b", "c"].map(|name| Channel::new(name).unwrap());
    channels.iter().for_each(|channel| local.enter(channel, &entry(1)));
    let [first, second] = [local.take(1), local.take(1)];
    local.postpone(first.into_iter().chain(second).collect());
    let all = local.take(3).into_iter().map(|change| change.channel);
    assert_eq!(all.map(|channel| channel.to_string()).collect::<String>(), "cab");
    assert!(local.take(1).is_empty());
}

#[test]
fn clients_that_were_never_written_are_forgotten() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    local.members_of(Box::new(|channel| channel.as_str() == "told"));
    let [told, quiet] = ["told", "quiet"].map(|name| Channel::new(name).unwrap());
    for session in 0..100 {
        let both = [&told, &quiet];
        both.iter().for_each(|channel| local.enter(channel, &entry(session)));
        let refused = local.take(10);
        // Half of them leave while it is not known yet that they are refused.
        let leave = || both.iter().for_each(|channel| drop(local.leave(channel, client(session))));
        if session % 2 == 0 {
            leave();
            local.postpone(refused);
        } else {
            local.postpone(refused);
            leave();
        }
    }
    let [change] = &local.take(1000)[..] else { panic!("only a channel that makes events is vacated") };
    assert_eq!((&change.channel, change.fields.len()), (&told, 0));
}

#[test]
fn a_client_waits_once() {
    let local = Local::new(IntGauge::new("held", "held").unwrap());
    let channel = Channel::new("a").unwrap();
    for _ in 0..10 {
        [2, 1].iter().for_each(|session| local.enter(&channel, &entry(*session)));
    }
    local.write_again(&channel, Stored::Maybe);
    let changes = local.take(100);
    let clients: Vec<_> = changes.iter().flat_map(|change| &change.fields).collect();
    assert_eq!(clients.len(), 2);
    local.put_back(changes);
    let again = local.take(100);
    let clients = again.iter().flat_map(|change| &change.fields).map(|field| field.client);
    assert_eq!(clients.collect::<Vec<_>>(), [client(2), client(1)], "in the order in which they changed");
}
