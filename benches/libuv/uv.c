/* The rows of benches/libuv.rs, done by libuv: `uv ROW OPS WIDTH`.
 *
 * Prints "ROW NANOSECONDS": of one operation; `uv version` prints libuv's. What a row does, what
 * an operation is and when the clock runs is the same as in ours.rs; what differs is the way, which
 * is the usual one of each side: callbacks and requests in fixed memory here, futures and closures
 * there. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define WRITE_SIZE (64 * 1024)
#define PACKET_SIZE 16

static long ops, width;
static long done;
static uv_loop_t *loop;
static char scratch[WRITE_SIZE];

static void check(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static uint64_t clock_nanos(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t wall(void) { return clock_nanos(CLOCK_MONOTONIC); }

static void *memory(size_t count, size_t size) {
    void *place = malloc(count * size);
    if (place == NULL)
        check(UV_ENOMEM, "malloc");
    return place;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)handle, (void)suggested;
    *buf = uv_buf_init(scratch, sizeof scratch);
}

/* Timers: CPU time, since most of the wall time is waiting. */

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    done++;
}

static uint64_t timers(int is_scattered) {
    uint64_t spread = (uint64_t)ops / 2000 + 1;
    uv_timer_t *all = memory((size_t)ops, sizeof *all);
    uint64_t began = clock_nanos(CLOCK_THREAD_CPUTIME_ID);
    for (uint64_t i = 0; i < (uint64_t)ops; i++) {
        uint64_t delay = is_scattered ? i * 7919 % spread : i / 2000;
        uv_timer_init(loop, &all[i]);
        uv_timer_start(&all[i], on_timer, delay + 1, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    return clock_nanos(CLOCK_THREAD_CPUTIME_ID) - began;
}

static uint64_t timers_scattered(void) { return timers(1); }
static uint64_t timers_ascending(void) { return timers(0); }

/* Ping-pong between the loops of two threads. */

static uv_loop_t far_loop;
static uv_async_t near_async, far_async;
static int is_over;

static void on_far(uv_async_t *async) {
    if (is_over)
        uv_close((uv_handle_t *)async, NULL);
    else
        uv_async_send(&near_async);
}

static void on_near(uv_async_t *async) {
    if (++done == ops) {
        is_over = 1;
        uv_close((uv_handle_t *)async, NULL);
    }
    uv_async_send(&far_async);
}

static void far_thread(void *ready) {
    check(uv_loop_init(&far_loop), "loop");
    check(uv_async_init(&far_loop, &far_async, on_far), "async");
    uv_sem_post(ready);
    uv_run(&far_loop, UV_RUN_DEFAULT);
}

static uint64_t async(void) {
    uv_thread_t thread;
    uv_sem_t ready;
    check(uv_sem_init(&ready, 0), "semaphore");
    check(uv_async_init(loop, &near_async, on_near), "async");
    check(uv_thread_create(&thread, far_thread, &ready), "thread");
    uv_sem_wait(&ready);
    uint64_t began = wall();
    uv_async_send(&far_async);
    uv_run(loop, UV_RUN_DEFAULT);
    uint64_t took = wall() - began;
    uv_thread_join(&thread);
    return took;
}

/* TCP: both ends in this loop, without Nagle's delay, as ours. */

static uv_tcp_t listener, server, client;
static uv_connect_t connecting;
static uv_write_t writing;
static uint64_t pump_began;
static long received;

static void on_written(uv_write_t *request, int status);

static void pump_more(void) {
    static char block[WRITE_SIZE];
    uv_buf_t buf = uv_buf_init(block, sizeof block);
    if (done++ < ops)
        check(uv_write(&writing, (uv_stream_t *)&client, &buf, 1, on_written), "write");
}

static void on_written(uv_write_t *request, int status) {
    (void)request;
    check(status, "write");
    pump_more();
}

static void on_pumped(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
    (void)stream, (void)buf;
    check((int)count, "read");
    received += count;
    if (received == ops * WRITE_SIZE)
        uv_stop(loop);
}

static void on_connect(uv_connect_t *request, int status) {
    (void)request;
    check(status, "connect");
    uv_tcp_nodelay(&client, 1);
    pump_began = wall();
    pump_more();
}

static void on_accept(uv_stream_t *stream, int status) {
    check(status, "listen");
    uv_tcp_init(loop, &server);
    check(uv_accept(stream, (uv_stream_t *)&server), "accept");
    uv_tcp_nodelay(&server, 1);
    uv_read_start((uv_stream_t *)&server, on_alloc, on_pumped);
}

static uint64_t pump(void) {
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &listener);
    uv_tcp_init(loop, &client);
    check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "bind");
    check(uv_listen((uv_stream_t *)&listener, 16, on_accept), "listen");
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "name");
    check(uv_tcp_connect(&connecting, &client, (struct sockaddr *)&address, on_connect), "connect");
    uv_run(loop, UV_RUN_DEFAULT);
    return wall() - pump_began;
}

/* The same into a thread that does nothing but read, so that the other end takes no turns. */

static int plain_listener;

static void read_all(void *unused) {
    static char into[WRITE_SIZE];
    int socket = accept(plain_listener, NULL, NULL);
    (void)unused;
    while (received < ops * WRITE_SIZE) {
        ssize_t count = read(socket, into, sizeof into);
        check(count > 0 ? 0 : UV_EOF, "read");
        received += count;
    }
    close(socket);
}

static uint64_t pump_thread(void) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    uv_thread_t thread;
    uv_ip4_addr("127.0.0.1", 0, &address);
    plain_listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(plain_listener, (struct sockaddr *)&address, length), "bind");
    check(listen(plain_listener, 16), "listen");
    check(getsockname(plain_listener, (struct sockaddr *)&address, &length), "name");
    check(uv_thread_create(&thread, read_all, NULL), "thread");
    uv_tcp_init(loop, &client);
    uint64_t began = wall();
    check(uv_tcp_connect(&connecting, &client, (struct sockaddr *)&address, on_connect), "connect");
    uv_run(loop, UV_RUN_DEFAULT);
    uv_thread_join(&thread);
    return wall() - began;
}

/* UDP: `width` packets are handed in, and the next when all of those have been received. To send
 * without waiting, as libuv's own bench does, lost nine in ten here. */

static uv_udp_t sender, receiver;
static uv_udp_send_t *sends;
static struct sockaddr_in receiver_address;
static long unsent, unreceived;

static void on_sent(uv_udp_send_t *request, int status);

static void send_burst_if_due(void) {
    uv_buf_t packet = uv_buf_init("sixteen letters.", PACKET_SIZE);
    if (unsent > 0 || unreceived > 0)
        return;
    if (done >= ops) {
        uv_stop(loop);
        return;
    }
    unsent = unreceived = width;
    for (long i = 0; i < width; i++)
        check(uv_udp_send(&sends[i], &sender, &packet, 1, (struct sockaddr *)&receiver_address,
                          on_sent),
              "send");
}

static void on_sent(uv_udp_send_t *request, int status) {
    (void)request;
    check(status, "send");
    unsent--;
    send_burst_if_due();
}

static void on_packet(uv_udp_t *udp, ssize_t count, const uv_buf_t *buf,
                      const struct sockaddr *from, unsigned flags) {
    (void)udp, (void)buf, (void)flags;
    check((int)count, "receive");
    if (from == NULL)
        return; /* there is no more for now */
    done++;
    unreceived--;
    send_burst_if_due();
}

static uint64_t udp(void) {
    int length = sizeof receiver_address;
    struct sockaddr_in any;
    sends = memory((size_t)width, sizeof *sends);
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_udp_init(loop, &sender);
    uv_udp_init(loop, &receiver);
    check(uv_udp_bind(&sender, (struct sockaddr *)&any, 0), "bind");
    check(uv_udp_bind(&receiver, (struct sockaddr *)&any, 0), "bind");
    check(uv_udp_getsockname(&receiver, (struct sockaddr *)&receiver_address, &length), "name");
    check(uv_udp_recv_start(&receiver, on_alloc, on_packet), "receive");
    uint64_t began = wall();
    send_burst_if_due();
    uv_run(loop, UV_RUN_DEFAULT);
    return wall() - began;
}

/* Children, one after the other, with our streams. */

static uv_process_t process;

static void start(void);

static void on_closed(uv_handle_t *handle) {
    (void)handle;
    if (++done < ops)
        start();
}

static void on_exit_of(uv_process_t *child, int64_t status, int signal) {
    (void)signal;
    check(status == 0 ? 0 : UV_EIO, "/bin/true");
    uv_close((uv_handle_t *)child, on_closed);
}

static void start(void) {
    static char *args[] = {"/bin/true", NULL};
    uv_stdio_container_t streams[3];
    uv_process_options_t options;
    memset(&options, 0, sizeof options);
    for (int fd = 0; fd < 3; fd++) {
        streams[fd].flags = UV_INHERIT_FD;
        streams[fd].data.fd = fd;
    }
    options.file = args[0];
    options.args = args;
    options.exit_cb = on_exit_of;
    options.stdio = streams;
    options.stdio_count = 3;
    check(uv_spawn(loop, &process, &options), "spawn");
}

static uint64_t spawn(void) {
    uint64_t began = wall();
    start();
    uv_run(loop, UV_RUN_DEFAULT);
    return wall() - began;
}

/* Jobs: `width` are handed in, and the next when all of those have ended. */

static uv_work_t *works;
static long working;

static void hand_in(void);

static void on_work(uv_work_t *work) { (void)work; }

static void on_worked(uv_work_t *work, int status) {
    (void)work;
    check(status, "work");
    done++;
    if (--working == 0 && done < ops)
        hand_in();
}

static void hand_in(void) {
    working = width;
    for (long i = 0; i < width; i++)
        check(uv_queue_work(loop, &works[i], on_work, on_worked), "work");
}

static uint64_t work(void) {
    long all = ops;
    works = memory((size_t)width, sizeof *works);
    ops = width; /* one batch more, which starts the threads */
    hand_in();
    uv_run(loop, UV_RUN_DEFAULT);
    ops = all;
    done = 0;
    uint64_t began = wall();
    hand_in();
    uv_run(loop, UV_RUN_DEFAULT);
    return wall() - began;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} rows[] = {
    {"timers", timers_scattered},
    {"timers-ascending", timers_ascending},
    {"async", async},
    {"async-one-core", async},
    {"pump", pump},
    {"pump-thread", pump_thread},
    {"udp", udp},
    {"spawn", spawn},
    {"work", work},
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        puts(uv_version_string());
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: uv ROW OPS WIDTH\n");
        return 2;
    }
    alarm(60); /* one that hangs ends */
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    ops = atol(argv[2]);
    width = atol(argv[3]);
    loop = uv_default_loop();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, argv[1]) == 0) {
            printf("%s %.1f\n", argv[1], (double)rows[i].run() / (double)ops);
            return 0;
        }
    }
    fprintf(stderr, "uv: there is no row %s\n", argv[1]);
    return 2;
}
