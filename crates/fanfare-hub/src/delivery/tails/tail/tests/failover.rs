//! Tails while another server goes on with the history.

use super::*;

#[test]
fn a_failover_without_a_loss_is_not_told() {
    let mut model = Model::open(0);
    model.publish(3, |offset| offset != 3);
    model.fail_over(0);
    model.publish(2, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5], "what did not come is read from the new server");
    assert_eq!((model.told, model.duplicates), (0, 0));
    model.publish(1, |_| true);
    assert_eq!(model.offsets().last(), Some(&6));
}

#[test]
fn what_a_failover_lost_is_told() {
    let mut model = Model::open(0);
    model.publish(5, |_| true);
    model.fail_over(2);
    model.publish(3, |offset| offset != 4);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5, 4, 5, 6], "other publications have the offsets of lost ones");
    assert_eq!(model.told, 1);
}

#[test]
fn a_lost_publication_that_waits_is_not_delivered() {
    let mut model = Model::open(0);
    model.publish(5, |offset| offset != 4);
    model.fail_over(2);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3]);
    assert_eq!(model.told, 0, "nobody had what was lost");
    model.publish(1, |_| true);
    assert_eq!(model.offsets(), [1, 2, 3, 4]);
}

/// The node was frozen meanwhile. After three failovers come two more, and the broker knows the last one only.
#[test]
fn failovers_that_the_broker_knows_are_not_told() {
    let mut model = Model::open(0);
    model.publish(2, |_| true);
    for _ in 0..3 {
        model.fail_over(0);
        model.publish(1, |_| false);
    }
    model.publish(1, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(model.told, 0);
    for _ in 0..2 {
        model.fail_over(0);
        model.publish(1, |_| false);
    }
    model.continues.truncate(1);
    model.publish(1, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5, 6, 8, 9], "what is older may have been delivered");
    assert_eq!(model.told, 1);
}

#[test]
fn behind_a_loss_all_later_epochs_are_delivered() {
    let mut model = Model::open(0);
    model.publish(5, |_| true);
    model.fail_over(2);
    model.publish(2, |_| false);
    model.fail_over(0);
    model.publish(2, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5, 4, 5, 6, 7]);
    assert_eq!(model.told, 1);
}

#[test]
fn positions_before_a_failover_are_known() {
    let mut model = Model::open(0);
    model.publish(5, |_| true);
    model.fail_over(1);
    model.publish(2, |_| true);
    model.heal();
    let offset_of = |epoch, offset| model.tail.offset_of(Position { epoch: Epoch(epoch), offset });
    assert_eq!(
        [offset_of(1, 4), offset_of(1, 5), offset_of(2, 6), offset_of(3, 1)],
        [Some(4), None, Some(6), None]
    );
}

#[test]
fn a_history_that_comes_back_is_not_repeated() {
    let mut model = Model::open(0);
    model.publish(4, |_| true);
    let (epoch, kept) = (model.epoch, model.kept.clone());
    model.fail_over(1);
    model.publish(2, |_| true);
    model.heal();
    // The old server takes over again, with the publication that the other one lacked.
    (model.epoch, model.top, model.kept, model.continues) = (epoch, 4, kept, Vec::new());
    model.publish(1, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 4, 5, 4, 5]);
    assert_eq!(model.told, 2);
}
