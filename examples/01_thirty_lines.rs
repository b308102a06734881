//! Chapter 1. What is an event loop?
//!
//! Run:    cargo run --example 01_thirty_lines
//! Shows:  a queue of closures and a thread that calls them; no crate, no magic.
//! Next:   02_first_turn, the same with the runtime; or src/queue/ready_queue.rs.

use std::{cell::RefCell, collections::VecDeque, thread};

/// All of it: what waits to be called.
#[derive(Default)]
struct Loop(RefCell<VecDeque<Callback>>);
type Callback = Box<dyn FnOnce(&Loop)>;

impl Loop {
    fn post(&self, callback: impl FnOnce(&Loop) + 'static) {
        self.0.borrow_mut().push_back(Box::new(callback));
    }

    fn run(&self) {
        for turn in 1.. {
            // Taken out first: what a callback posts goes into the queue that is empty now.
            let batch = self.0.take();
            if batch.is_empty() {
                return;
            }
            println!("turn {turn}: {} in the queue", batch.len());
            batch.into_iter().for_each(|callback| callback(self));
        }
    }
}

fn say(text: &str) {
    println!("  {text:<28}{:?}", thread::current().id());
}

fn main() {
    println!("Chapter 1. What is an event loop?\n");
    let event_loop = Loop::default();
    event_loop.post(|event_loop| {
        say("one, begins");
        event_loop.post(|_| say("three, posted by one"));
        say("one, ends");
    });
    event_loop.post(|_| say("two"));
    event_loop.run();
    println!("\nNotice: \"three\" was posted in the middle of \"one\" and yet came last.");
    println!("        Nothing interrupts a callback. There is one thread, and it takes turns.");
}
