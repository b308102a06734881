//! Who the clients are: what they say, how they behave, and what network they have.

use super::client::{Fate, Habits, Halt, Parting};
use super::dice::Dice;
use super::script::{self, After, Content, Exchange};
use super::wire::Weather;

pub(super) struct Person {
    pub(super) script: Vec<Exchange>,
    pub(super) habits: Habits,
    pub(super) fate: Fate,
    pub(super) weather: Weather,
}

pub(super) fn draw(dice: &mut Dice, client: usize) -> Person {
    if dice.one_in(50) {
        return flood(dice, client);
    }
    let script = script::draw(dice, client);
    let fate = draw_fate(dice, &script);
    let volume = volume(&script);
    Person {
        habits: draw_habits(dice, &script, volume),
        weather: draw_weather(dice, volume),
        fate,
        script,
    }
}

/// Bytes that a script moves, both ways.
fn volume(script: &[Exchange]) -> usize {
    let moved = script.iter().map(|exchange| {
        let answer = match &exchange.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Any => 0,
        };
        exchange.bytes.len() + answer + 200
    });
    moved.sum()
}

fn sent(script: &[Exchange]) -> usize {
    script.iter().map(|exchange| exchange.bytes.len()).sum()
}

fn draw_fate(dice: &mut Dice, script: &[Exchange]) -> Fate {
    let is_endless = script.last().is_some_and(|last| last.after == After::Never);
    if is_endless {
        let parting = *dice.pick(&[Parting::Ends, Parting::Quits, Parting::Resets]);
        return Fate::Abandons(parting, dice.size(8_000) as u64);
    }
    let all = sent(script);
    let at = dice.below(all + 1);
    match dice.below(24) {
        0..7 => Fate::Leaves(dice.size(4_000) as u64),
        7..10 => Fate::Stays,
        10..13 => Fate::Ends(all),
        13..15 => Fate::Ends(at),
        15..18 => Fate::Freezes(at),
        18 | 19 => {
            let heard = volume(script) - all;
            Fate::Deafens(dice.below(heard + 1))
        }
        20 => Fate::Quits(at),
        21 | 22 => Fate::Resets(at),
        _ => Fate::IsAborted(dice.size(1_000) as u64),
    }
}

fn draw_habits(dice: &mut Dice, script: &[Exchange], volume: usize) -> Habits {
    let depth = match dice.below(3) {
        0 => 1,
        1 => dice.between(2, 5),
        _ => usize::MAX / 2,
    };
    let least = volume / 100 + 1;
    let sizes = [10, 100, 2_000, 60_000, 200_000];
    Habits {
        depth,
        send_max: least.max(*dice.pick(&sizes)),
        receive_max: least.max(*dice.pick(&sizes)),
        rest_one_in: *dice.pick(&[3, 10, 1000]),
        rest_max: dice.size(40),
        long_rest: dice.one_in(5).then(|| draw_rest(dice, script)),
        long_pause: dice
            .one_in(5)
            .then(|| draw_pause(dice, depth, script, volume)),
        patience: match dice.below(2) {
            0 => dice.size(1_000) as u64,
            _ => 100_000,
        },
    }
}

/// A rest while sending that is as long as the server must bear; in a body it may be followed by
/// others.
fn draw_rest(dice: &mut Dice, script: &[Exchange]) -> Halt {
    let number = dice.below(script.len());
    let exchange = &script[number];
    let offset = dice.below(exchange.bytes.len());
    let left = exchange.bytes.len() - offset;
    let (most, times) = if offset > exchange.body_at {
        let renews = exchange.renews && left > 4;
        (25_000, if renews { dice.between(1, 4) } else { 1 })
    } else if offset == 0 {
        (3_000, 1)
    } else {
        (4_000, 1)
    };
    Halt {
        at: sent(&script[..number]) + offset,
        millis: dice.size(most) as u64,
        times,
        every: left / times,
    }
}

/// A pause in reading that costs the client nothing: who sends only when it has heard must not
/// be idle for too long, and who hears of a close late must have said all it says.
fn draw_pause(dice: &mut Dice, depth: usize, script: &[Exchange], volume: usize) -> Halt {
    let (last, others) = script.split_last().expect("a script says something");
    let is_plain = |exchange: &Exchange| exchange.after == After::Stays && !exchange.expects;
    let says_all = depth >= script.len() && others.iter().all(is_plain) && !last.expects;
    let heard = volume - sent(script);
    if !says_all {
        return Halt {
            at: dice.below(heard),
            millis: dice.size(1_500) as u64,
            times: 1,
            every: 0,
        };
    }
    let times = dice.between(1, 4);
    let at = dice.below(heard);
    Halt {
        at,
        millis: dice.between(100, 25_000) as u64,
        times,
        every: (heard - at) / times + 1,
    }
}

fn draw_weather(dice: &mut Dice, volume: usize) -> Weather {
    let least = volume / 100 + 1;
    Weather {
        piece_max: least.max(*dice.pick(&[4, 60, 1_000, 16_000, 100_000])),
        capacities: (
            least.max(*dice.pick(&[50, 1_000, 20_000, 200_000])),
            least.max(*dice.pick(&[50, 1_000, 20_000, 200_000])),
        ),
        trouble_one_in: *dice.pick(&[2, 6, 20, 1000]),
        delay_max: dice.size(60),
        opens_at: if dice.one_in(4) {
            dice.size(60) as u64
        } else {
            0
        },
    }
}

/// A client that sends far more than it reads, or far more at once than is answered in one go.
fn flood(dice: &mut Dice, client: usize) -> Person {
    let reads = dice.one_in(2);
    let script = script::flood(dice, client, !reads);
    Person {
        habits: Habits {
            depth: usize::MAX / 2,
            send_max: 30_000,
            receive_max: if reads { 30_000 } else { 1_000 },
            rest_one_in: 1000,
            rest_max: 5,
            long_rest: None,
            long_pause: None,
            patience: 1,
        },
        fate: if reads {
            Fate::Leaves(1)
        } else {
            Fate::Deafens(dice.below(1_000))
        },
        weather: Weather {
            piece_max: if reads { 20_000 } else { 1 << 40 },
            capacities: match reads {
                true => (40_000, 40_000),
                false => (400_000, dice.between(1_000, 20_000)),
            },
            trouble_one_in: if reads { 1000 } else { 20 },
            delay_max: 20,
            opens_at: 30,
        },
        script,
    }
}
