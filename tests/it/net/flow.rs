//! Much data: several buffers, full sockets, slow readers.

use std::future::poll_fn;
use std::task::Poll;

use super::*;

#[test]
fn several_buffers_go_out_in_one_write() {
    block_on(|| async {
        let (mut client, mut server) = pair().await;
        let parts = [&b"escape"[..], b"", b"ment", b" wheel"];
        let slices = parts.map(IoSlice::new);
        assert_eq!(client.write_vectored(&slices).await.unwrap(), 16);
        let mut buf = [0; 16];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"escapement wheel");
        let (_, mut writer) = client.split();
        assert_eq!(writer.write_vectored(&slices).await.unwrap(), 16);
    });
}

/// Once a fault: one call takes at most 1024 slices. That is counted as a short write, and
/// the next write waits for a readiness that the kernel has no reason to announce.
#[test]
fn a_write_of_very_many_buffers_is_not_taken_for_a_full_socket() {
    block_on(|| async {
        let (mut client, mut server) = pair().await;
        let block = [5];
        let slices: Vec<_> = (0..2000).map(|_| IoSlice::new(&block)).collect();
        let count = client.write_vectored(&slices).await.unwrap();
        assert!(count < 2000, "this system takes {count} slices at once");
        let rest = timeout(
            Duration::from_secs(3),
            client.write_vectored(&slices[count..]),
        )
        .await;
        assert_eq!(
            rest.expect("the socket is nearly empty, and the write waits")
                .unwrap(),
            976
        );
        let mut buf = [0; 2000];
        server.read_exact(&mut buf).await.unwrap();
    });
}

#[test]
fn eight_mebibytes_pass_through_a_slow_reader() {
    block_on(|| async {
        const SIZE: usize = 8 << 20;
        let (client, mut server) = pair().await;
        let (mut reader, mut writer) = client.into_split();
        // Both directions fill up before either is read.
        let sending = spawn(async move {
            let block: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            writer.write_all(&block).await.unwrap();
        });
        let reading = spawn(async move {
            let (mut total, mut buf) = (0, vec![0; 3000]);
            loop {
                match reader.read(&mut buf).await.unwrap() {
                    0 => break total,
                    count => total += count,
                }
                yield_now().await;
            }
        });
        let mut taken = 0;
        let mut buf = vec![0; 5003];
        while taken < SIZE {
            let count = server.read(&mut buf).await.unwrap();
            assert!(count > 0, "ended at {taken}");
            for (at, &byte) in buf[..count].iter().enumerate() {
                assert_eq!(byte, ((taken + at) % 251) as u8, "at {}", taken + at);
            }
            taken += count;
            server.write_all(&buf[..count]).await.unwrap();
        }
        sending.await.unwrap();
        assert_eq!(
            server.read(&mut buf).await.unwrap(),
            0,
            "the half that was dropped"
        );
        drop(server);
        assert_eq!(reading.await.unwrap(), SIZE);
    });
}

#[test]
fn a_write_that_waits_goes_on_when_there_is_room() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let block = vec![1; 256 * 1024];
        let mut sent = 0;
        while let Ok(count) = timeout(MOMENT, stream.write(&block)).await {
            sent += count.unwrap();
        }
        let reader = thread::spawn(move || {
            let mut taken = vec![0; sent + 1];
            peer.read_exact(&mut taken).unwrap();
            taken.iter().all(|&byte| byte == 1)
        });
        timeout(PATIENCE, stream.write_all(&[1]))
            .await
            .expect("room, and nobody told")
            .unwrap();
        assert!(reader.join().unwrap());
    });
}

/// Once a fault, on poll(2): a peer that sent again before the next read was read again, 64 times
/// in a row by the server, and the loop looked at nobody else meanwhile.
#[test]
fn after_a_short_read_the_kernel_is_asked_before_the_next() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let mut buf = [0; 8];
        for round in 0..50 {
            peer.write_all(b"tick").unwrap();
            let count = timeout(PATIENCE, stream.read(&mut buf)).await;
            assert_eq!(count.expect("told").unwrap(), 4);
            // The same poll goes on: no turn has come in between.
            peer.write_all(b"tock").unwrap();
            let at_once = poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut buf))).await;
            assert!(at_once.is_pending(), "round {round}: read without a turn");
            let count = timeout(PATIENCE, stream.read(&mut buf)).await;
            assert_eq!(count.expect("told once more").unwrap(), 4);
            assert_eq!(&buf[..4], b"tock");
        }
    });
}
