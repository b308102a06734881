//! scratch
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::*;
struct SelfWake(u32);
impl Future for SelfWake {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
fn main() {
    let mut rt = tourbillon::Runtime::new().unwrap();
    let mode = std::env::args().nth(1).unwrap_or_default();
    for round in 0..if mode.starts_with('m') { 0 } else { 3 } {
        for n in [1u32, 100, 10000] {
            let t = Instant::now();
            let each = 5_000_000 / n;
            rt.block_on(async {
                let hs: Vec<_> = (0..n).map(|_| tourbillon::spawn(SelfWake(each))).collect();
                for h in hs {
                    h.await.unwrap();
                }
            });
            println!(
                "{round} selfwake {n}: {:.1} ns",
                t.elapsed().as_nanos() as f64 / (each as f64 * n as f64)
            );
        }
        let t = Instant::now();
        rt.block_on(async {
            for _ in 0..1000 {
                let hs: Vec<_> = (0..1000).map(|_| tourbillon::spawn(async {})).collect();
                for h in hs {
                    h.await.unwrap();
                }
            }
        });
        println!("spawn+join {:.1}", t.elapsed().as_nanos() as f64 / 1e6);
        let t = Instant::now();
        rt.block_on(async {
            let mut v: Vec<_> = Vec::new();
            for _ in 0..1_000_000 {
                let mut s = Box::pin(tourbillon::sleep(Duration::from_secs(10)));
                std::future::poll_fn(|cx| {
                    let _ = s.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                v.push(s);
                if v.len() > 10000 {
                    v.clear()
                }
            }
        });
        println!(
            "timer insert+cancel {:.1}",
            t.elapsed().as_nanos() as f64 / 1e6
        );
        let t = Instant::now();
        rt.block_on(async {
            for _ in 0..100000 {
                tourbillon::spawn_blocking(|| ()).await.unwrap();
            }
        });
        println!("blocking {:.1}", t.elapsed().as_nanos() as f64 / 1e5);
        println!("{:?}", rt.stats());
    }

    if mode == "m1" {
        rt.block_on(async { tourbillon::spawn(SelfWake(1_000_000)).await.unwrap() });
    }
    if mode == "m2" {
        rt.block_on(async {
            let hs: Vec<_> = (0..100)
                .map(|_| tourbillon::spawn(SelfWake(10000)))
                .collect();
            for h in hs {
                h.await.unwrap();
            }
        });
    }
    if mode == "m3" {
        rt.block_on(async {
            for _ in 0..1000 {
                let hs: Vec<_> = (0..1000).map(|_| tourbillon::spawn(async {})).collect();
                for h in hs {
                    h.await.unwrap();
                }
            }
        });
    }
}
