//! The pictures as they have to be drawn.

pub(super) const WIDE: &str = "\
tourbillon VERSION   BACKEND   4 workers
client: 20 light, one every 100 ms; 1 heavy at 150 ms, computes for 1000 ms

A. GET /bad-practice    heavy_sync_operation(), called on the loop
         0 ms      500       1000      1500      2000 latency, ms
heavy    ···████████████████████│··················    1000.5  on main
light  1 │·········································       0.5
light  2 ··│·······································       0.5
light  3 ····░░░░░░░░░░░░░░░░░░░│··················     950.8
light  4 ······░░░░░░░░░░░░░░░░░│··················     850.8
light  5 ········░░░░░░░░░░░░░░░│··················     750.8
   ...   7 more wait, each 100 ms less
light 13 ························│·················       0.5
light 14 ··························│···············       0.5
light 15 ····························│·············       0.5  (5 more like it)
loop     ···█████████████████████··················     999.5  longest stuck

B. GET /good-practice   spawn_blocking(heavy_sync_operation).await
         0 ms      500       1000      1500      2000 latency, ms
heavy    ···▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│··················    1000.5  on worker-1
light  1 │·········································       0.5
light  2 ··│·······································       0.5
light  3 ····│·····································       0.5  (17 more like it)
loop     ··········································       1.5  longest stuck

█ running on the loop  ▒ running on a worker  ░ waiting for the loop  │ answered

light requests, ms    n      p50      p90      p99      max  over 100 ms
A blocking           20      0.5    750.8    950.8    950.8            9
B offloaded          20      0.5      0.5      0.5      0.5            0

VERDICT  In A the loop was stuck for 1000 ms in heavy_sync_operation
         (examples/heavy.rs:41), called from task \"GET /bad-practice\": on CPU.
         10 of 20 light requests had to wait, 9 of them for more than 100 ms.
         Offloading cut their p99 by a factor of 1902 (950.8 ms / 0.5 ms).
         It did not make the heavy request itself faster (1000.5 ms in A, 1000.5
         ms in B): it freed the loop.
         p50 alone hides all this (0.5 ms in A, 0.5 ms in B): 10 of 20 light
         requests found the loop free.
";
pub(super) const NARROW: &str = "\
tourbillon VERSION   BACKEND   4 workers
client: 20 light, one every 100 ms; 1
heavy at 150 ms, computes for 1000 ms

A. GET /bad-practice
   heavy_sync_operation()
         0 ms      1000               ms
heavy    .##########|.........    1000.5
         on main
light  1 |....................       0.5
light  2 .|...................       0.5
light  3 ..---------|.........     950.8
loop     .###########.........     999.5
         longest stuck

B. GET /good-practice
   spawn_blocking(heavy_sync_operation)
         0 ms      1000               ms
heavy    .%%%%%%%%%%|.........    1000.5
         on worker-1
light  1 |....................       0.5
light  2 .|...................       0.5
light  3 ..|..................       0.5
         (2 more like it)
loop     .....................       1.5
         longest stuck

# running on the loop
% running on a worker
- waiting for the loop  | answered

ms  n    p50    p90    p99    max >100
A   3    0.5  950.8  950.8  950.8    1
B   5    0.5    0.5    0.5    0.5    0

VERDICT  In A the loop was stuck for
         1000 ms in heavy_sync_operation
         (examples/heavy.rs:41), called
         from task \"GET /bad-practice\":
         on CPU.
         1 of 3 light requests had to
         wait, all of them for more than
         100 ms.
         Offloading cut their p99 by a
         factor of 1902 (950.8 ms / 0.5
         ms).
         It did not make the heavy
         request itself faster (1000.5
         ms in A, 1000.5 ms in B): it
         freed the loop.
         p50 alone hides all this (0.5
         ms in A, 0.5 ms in B): 2 of 3
         light requests found the loop
         free.
";
pub(super) const FULL: &str = "\
A. GET /bad-practice    heavy_sync_operation(), called on the loop
         0 ms  1000   2000   3000  4000   5000   6000 latency, ms
heavy  1 ·██████│··································    1000.5  on main
heavy  2 ·░░░░░░███████│···························    2000.5  on main
heavy  3 ·░░░░░░░░░░░░░███████│····················    3000.5  on main
heavy  4 ·░░░░░░░░░░░░░░░░░░░░██████│··············    4000.5  on main
heavy  5 ·░░░░░░░░░░░░░░░░░░░░░░░░░░███████│·······    5000.5  on main
heavy  6 ·░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░███████│    6000.5  on main
light  1 │·········································       0.5
light  2 │·········································       0.5
light  3 ·░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░│    5950.8
loop     ·█████████████████████████████████████████    5999.5  longest stuck

B. GET /good-practice   spawn_blocking(heavy_sync_operation).await
         0 ms  1000   2000   3000  4000   5000   6000 latency, ms
heavy  1 ·▒▒▒▒▒▒│··································    1000.5  on worker-1
heavy  2 ·▒▒▒▒▒▒│··································    1000.5  on worker-2
heavy  3 ·▒▒▒▒▒▒│··································    1000.5  on worker-3
heavy  4 ·▒▒▒▒▒▒│··································    1000.5  on worker-4
heavy  5 ·░░░░░░▒▒▒▒▒▒▒│···························    2000.5  on worker-1
heavy  6 ·░░░░░░▒▒▒▒▒▒▒│···························    2000.5  on worker-2
light  1 │·········································       0.5
light  2 │·········································       0.5
light  3 ·│········································       0.5  (17 more like it)
loop     ··········································       1.5  longest stuck

█ running on the loop  ▒ running on a worker  ░ waiting for the loop or a worker
│ answered
";
