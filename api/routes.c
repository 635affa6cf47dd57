#include "routes.h"

const struct http_route_table *const routes_all[] = {
    &routes_system,      &routes_sessions,    &routes_stream_passwords,
    &routes_users,       &routes_departments, &routes_cameras,
    &routes_camera_test, &routes_audit,       &routes_bus,
    &routes_live,        &routes_media,       &routes_events,
    &routes_cases,       &routes_county,      &routes_hls,
    &routes_imports,
};
const size_t routes_all_count = SE_ARRAY_LEN(routes_all);
