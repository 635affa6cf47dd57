/* The HTTP floor: server, routes, live sockets, event stream, console. */
#ifndef API_API_H
#define API_API_H

#include "api/imports.h"
#include "base/error.h"
#include "events/events.h"
#include "gateway/access.h"
#include "gateway/bus.h"
#include "gateway/options.h"
#include "gateway/store.h"
#include "ingest/ingest.h"

struct api_deps {
    const struct options *options;
    struct store *store;
    struct access *access;
    struct bus *bus;
    struct ingest *ingest;
    struct events *events;
    struct imports *imports;
};
struct api;
/* Whether the addresses to listen on can be read, without binding them. -EINVAL names the option. */
int api_options_check(const struct options *options, struct se_err *err);
/* Binds http.listen (writes DATA_DIR/http.addr) and serves. Errors name the address. */
int api_new(const struct api_deps *deps, struct api **ret_api, struct se_err *err);
/* No new requests; open streams end; joins. */
void api_stop(struct api *api);
void api_free(struct api *api);

#endif
