//! Chapter 1. What is an event loop?
//!
//! Run:    cargo run --example 01_thirty_lines
//! Shows:  a queue of closures and a thread that calls them: thirty lines, no crate.
//! Next:   02_first_turn, the same with the runtime; or src/queue/ready_queue.rs.

use std::{cell::RefCell, collections::VecDeque, thread};

/// All that it owns: what waits to be called.
struct Loop(RefCell<VecDeque<Callback>>);
type Callback = Box<dyn FnOnce(&Loop)>;

impl Loop {
    fn post(&self, callback: impl FnOnce(&Loop) + 'static) {
        self.0.borrow_mut().push_back(Box::new(callback));
    }

    fn run(&self) {
        let mut turn = 0;
        while !self.0.borrow().is_empty() {
            turn += 1;
            // The whole queue is taken out: what a callback posts waits for the next turn.
            let batch = self.0.take();
            let (count, thread) = (batch.len(), thread::current().id());
            println!("turn {turn}: {count} wait, on {thread:?}");
            batch.into_iter().for_each(|callback| callback(self));
        }
    }
}

fn main() {
    println!("Chapter 1. What is an event loop?\n");
    let event_loop = Loop(RefCell::default());
    event_loop.post(|event_loop| {
        println!("  one begins, and posts three");
        event_loop.post(|_| println!("  three"));
        println!("  one ends");
    });
    event_loop.post(|_| println!("  two"));
    event_loop.run();
    println!("\nNotice: one was not interrupted. Three came last, though it was posted early.");
}
