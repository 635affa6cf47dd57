#include "routes.h"

const struct http_route_table *const routes_all[] = {
    &routes_system,
};
const size_t routes_all_count = SE_ARRAY_LEN(routes_all);
