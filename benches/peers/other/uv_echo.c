/* An echo on libuv. All connections read into one buffer, of the 64 KiB that libuv suggests, or
 * with the word `256k` of 256 KiB. What the kernel does not take at once is copied and queued. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct write {
    uv_write_t request;
    char rest[];
};

static char scratch[256 * 1024];
static int is_large;

static void check(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void *memory(size_t size) {
    void *place = malloc(size);
    if (place == NULL)
        check(UV_ENOMEM, "malloc");
    return place;
}

static void on_closed(uv_handle_t *handle) { free(handle); }

static void close_once(uv_stream_t *stream) {
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    (void)handle;
    *room = uv_buf_init(scratch, is_large ? sizeof scratch : (unsigned)suggested);
}

static void on_written(uv_write_t *request, int status) {
    if (status < 0)
        close_once(request->handle);
    free(request);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room) {
    if (count < 0)
        close_once(stream);
    if (count <= 0)
        return;
    uv_buf_t bytes = uv_buf_init(room->base, (unsigned)count);
    int sent = uv_try_write(stream, &bytes, 1);
    if (sent == count)
        return;
    if (sent < 0 && sent != UV_EAGAIN) {
        close_once(stream);
        return;
    }
    size_t start = sent < 0 ? 0 : (size_t)sent, left = (size_t)count - start;
    struct write *write = memory(sizeof *write + left);
    memcpy(write->rest, room->base + start, left);
    bytes = uv_buf_init(write->rest, (unsigned)left);
    check(uv_write(&write->request, stream, &bytes, 1, on_written), "uv_write");
}

static void on_connection(uv_stream_t *listener, int status) {
    check(status, "listen");
    uv_tcp_t *tcp = memory(sizeof *tcp);
    check(uv_tcp_init(listener->loop, tcp), "uv_tcp_init");
    check(uv_accept(listener, (uv_stream_t *)tcp), "uv_accept");
    check(uv_tcp_nodelay(tcp, 1), "uv_tcp_nodelay");
    check(uv_read_start((uv_stream_t *)tcp, on_room, on_read), "uv_read_start");
}

int main(int count, char **words) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    is_large = count > 1 && strcmp(words[1], "256k") == 0;
    signal(SIGPIPE, SIG_IGN);
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection), "uv_listen");
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "getsockname");
    printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
