#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "camera.h"

#define ORDER_MAX     (64u << 10)
#define OPERATORS_MAX 64

/* One who gives orders: a JSON object on a line, answered by one on a line. */
struct operator_ {
    struct operator_ *next, **link;
    struct server *server;
    struct se_watch watch;
    int fd;
    size_t size;
    char in[ORDER_MAX];
};

static struct operator_ *operators;
static unsigned operator_count;

static void operator_free(struct operator_ *op)
{
    se_watch_del(&op->watch);
    close(op->fd);
    *op->link = op->next;
    if (op->next)
        op->next->link = op->link;
    operator_count--;
    free(op);
}

/* Answers are short; who does not read them is let go. */
static bool reply(struct operator_ *op, const json_t *value)
{
    struct se_str line = {0};
    char *text = value ? se_json_text(value) : NULL;
    bool sent = false;

    if (text) {
        se_str_printf(&line, "%s\n", text);
        sent =
            !line.oom && send(op->fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)line.len;
    }
    free(text);
    se_str_fini(&line);
    return sent;
}

static bool obey(struct operator_ *op, const char *line, size_t size)
{
    struct se_err err = {0};
    se_json_ *order = NULL, *value = NULL;

    if (se_json_parse(line, size, &order, &err) < 0)
        value = json_pack("{s:s}", "error", err.text);
    else
        value = faults_order(op->server, order);
    return reply(op, value);
}

static void on_operator(struct se_watch *watch, uint32_t events)
{
    struct operator_ *op = watch->ctx;
    ssize_t n = recv(op->fd, op->in + op->size, ORDER_MAX - op->size, 0);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        operator_free(op);
        return;
    }
    op->size += (size_t)n;
    while ((end = memchr(op->in, '\n', op->size))) {
        size_t size = (size_t)(end - op->in);

        if (size > 0 && !obey(op, op->in, size)) {
            operator_free(op);
            return;
        }
        op->size -= size + 1;
        memmove(op->in, end + 1, op->size);
    }
    if (op->size == ORDER_MAX)
        operator_free(op);
}

void control_accept(struct listener *listener, int fd)
{
    struct server *server = listener->server;
    struct operator_ *op = operator_count < OPERATORS_MAX ? calloc(1, sizeof(*op)) : NULL;

    if (!op) {
        close(fd);
        return;
    }
    op->server = server;
    op->fd = fd;
    op->watch = (struct se_watch){.fn = on_operator, .ctx = op, .fd = -1};
    op->next = operators;
    op->link = &operators;
    if (op->next)
        op->next->link = &op->next;
    operators = op;
    operator_count++;
    if (se_watch_add(server->loop, &op->watch, fd, EPOLLIN) < 0)
        operator_free(op);
}

void control_free_all(struct server *server)
{
    while (operators)
        operator_free(operators);
}
