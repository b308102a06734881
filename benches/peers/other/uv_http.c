/* HTTP on libuv, with as much of a parser as the comparison needs: it finds the end of a head,
 * knows three request lines and reads two headers. No router, no time limits; a body may have
 * 2 MiB.
 *
 * Reads go into one buffer of the loop; only what is not a whole request yet is kept with the
 * connection. The answers of a batch are written together. */

#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <uv.h>

#define SCRATCH (64 * 1024)
#define COPIED_MAX (16 * 1024)
#define BODY_MAX (2 * 1024 * 1024)

struct connection {
    uv_tcp_t tcp;
    char *kept; /* the beginning of a request, or NULL */
    size_t filled, size;
    int is_last;
};

struct write {
    uv_write_t request;
    char rest[];
};

static char scratch[SCRATCH], big[1024 * 1024], out[128 * 1024];
static size_t out_filled;

static void check(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void *memory(void *old, size_t size) {
    void *place = realloc(old, size);
    if (place == NULL)
        check(UV_ENOMEM, "realloc");
    return place;
}

static void on_closed(uv_handle_t *handle) {
    struct connection *connection = (struct connection *)handle;
    free(connection->kept);
    free(connection);
}

static void close_once(struct connection *connection) {
    if (!uv_is_closing((uv_handle_t *)connection))
        uv_close((uv_handle_t *)connection, on_closed);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    struct connection *connection = (struct connection *)handle;
    (void)suggested;
    if (connection->kept == NULL)
        *buf = uv_buf_init(scratch, sizeof scratch);
    else
        *buf = uv_buf_init(connection->kept + connection->filled,
                           (unsigned)(connection->size - connection->filled));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf);

/* Writing: at once what the kernel takes, by the loop what is left. Nothing is read meanwhile. */

static void on_written(uv_write_t *request, int status) {
    struct connection *connection = (struct connection *)request->handle;
    free(request);
    if (uv_stream_get_write_queue_size((uv_stream_t *)connection) > 0)
        return;
    if (status < 0 || connection->is_last)
        close_once(connection);
    else
        uv_read_start((uv_stream_t *)connection, on_alloc, on_read);
}

static void later(struct connection *connection, uv_buf_t bufs[2], size_t done, int is_static) {
    for (int i = 0; i < 2; i++) {
        size_t part = done < bufs[i].len ? done : bufs[i].len;
        bufs[i].base += part;
        bufs[i].len -= part;
        done -= part;
    }
    size_t body = is_static ? 0 : bufs[1].len;
    struct write *write = memory(NULL, sizeof *write + bufs[0].len + body);
    memcpy(write->rest, bufs[0].base, bufs[0].len);
    memcpy(write->rest + bufs[0].len, bufs[1].base, body);
    bufs[0].base = write->rest;
    if (!is_static)
        bufs[1].base = write->rest + bufs[0].len;
    uv_read_stop((uv_stream_t *)connection);
    uv_stream_t *stream = (uv_stream_t *)connection;
    check(uv_write(&write->request, stream, bufs, 2, on_written), "uv_write");
}

static void flush(struct connection *connection, char *body, size_t length) {
    uv_buf_t bufs[2] = {{.base = out, .len = out_filled}, {.base = body, .len = length}};
    unsigned many = length > 0 ? 2 : 1;
    size_t total = out_filled + length;
    out_filled = 0;
    if (total == 0)
        return;
    int done = uv_try_write((uv_stream_t *)connection, bufs, many);
    if (done < 0 && done != UV_EAGAIN)
        connection->is_last = 1;
    else if ((size_t)(done < 0 ? 0 : done) < total)
        later(connection, bufs, done < 0 ? 0 : (size_t)done, body == big);
}

/* Requests and answers. */

static const char *date(void) {
    static char text[32];
    static time_t second;
    time_t now = time(NULL);
    if (now != second) {
        struct tm parts;
        second = now;
        gmtime_r(&now, &parts);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    }
    return text;
}

static void answer(struct connection *connection, const char *status, char *body, size_t length) {
    if (out_filled > sizeof out - COPIED_MAX - 256)
        flush(connection, NULL, 0);
    out_filled += (size_t)sprintf(out + out_filled,
                                  "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Length: %zu\r\n%sDate: %s\r\n\r\n",
                                  status, length,
                                  connection->is_last ? "Connection: close\r\n" : "", date());
    if (length <= COPIED_MAX) {
        memcpy(out + out_filled, body, length);
        out_filled += length;
    } else {
        flush(connection, body, length);
    }
}

static int is(const char *line, const char *wanted) {
    return strncmp(line, wanted, strlen(wanted)) == 0;
}

static size_t length_of_body(struct connection *connection, const char *head, const char *end) {
    static const char length_name[] = "content-length:", connection_name[] = "connection:";
    size_t length = 0;
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, length_name, sizeof length_name - 1) == 0)
            length = strtoul(line + sizeof length_name - 1, NULL, 10);
        else if (strncasecmp(line, connection_name, sizeof connection_name - 1) == 0)
            connection->is_last = strncasecmp(line + sizeof connection_name, "close", 5) == 0;
    }
    return length;
}

/* Answers all whole requests; returns how many bytes they are. */
static size_t answer_all(struct connection *connection, char *input, size_t filled) {
    size_t used = 0;
    while (!connection->is_last) {
        char *head = input + used;
        char *end = memmem(head, filled - used, "\r\n\r\n", 4);
        if (end == NULL)
            break;
        size_t length = length_of_body(connection, head, end + 2);
        char *body = end + 4;
        if (length > BODY_MAX) {
            connection->is_last = 1;
            break;
        }
        if ((size_t)(input + filled - body) < length) {
            connection->is_last = 0; /* said again when all of it is here */
            break;
        }
        if (is(head, "GET / HTTP/1.1\r\n"))
            answer(connection, "200 OK", "Hello, world!", 13);
        else if (is(head, "POST /echo HTTP/1.1\r\n"))
            answer(connection, "200 OK", body, length);
        else if (is(head, "GET /big HTTP/1.1\r\n"))
            answer(connection, "200 OK", big, sizeof big);
        else
            answer(connection, "404 Not Found", "", 0);
        used = (size_t)(body - input) + length;
    }
    flush(connection, NULL, 0);
    return used;
}

static void keep(struct connection *connection, char *rest, size_t length) {
    if (length == 0) {
        free(connection->kept);
        connection->kept = NULL;
    } else if (connection->kept == NULL) {
        connection->size = 2 * SCRATCH;
        connection->kept = memory(NULL, connection->size);
        memcpy(connection->kept, rest, length);
    } else {
        memmove(connection->kept, rest, length);
        if (length == connection->size)
            connection->kept = memory(connection->kept, connection->size *= 2);
    }
    connection->filled = length;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
    struct connection *connection = (struct connection *)stream;
    (void)buf;
    if (count < 0) {
        close_once(connection);
        return;
    }
    char *input = connection->kept == NULL ? scratch : connection->kept;
    size_t filled = connection->filled + (size_t)count;
    size_t used = answer_all(connection, input, filled);
    keep(connection, input + used, filled - used);
    if (connection->filled > 2 * BODY_MAX)
        connection->is_last = 1;
    if (connection->is_last && uv_stream_get_write_queue_size(stream) == 0)
        close_once(connection);
}

static void on_connection(uv_stream_t *listener, int status) {
    if (status < 0)
        return;
    struct connection *connection = memory(NULL, sizeof *connection);
    memset(connection, 0, sizeof *connection);
    check(uv_tcp_init(listener->loop, &connection->tcp), "uv_tcp_init");
    if (uv_accept(listener, (uv_stream_t *)connection) < 0) {
        close_once(connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_read_start((uv_stream_t *)connection, on_alloc, on_read);
}

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    signal(SIGPIPE, SIG_IGN);
    memset(big, 'x', sizeof big);
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection), "uv_listen");
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "getsockname");
    printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
