/* The tables of routes. A new subject adds its own here and in routes.c. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "http/route.h"

extern const struct http_route_table routes_sessions;
extern const struct http_route_table routes_stream_passwords;
extern const struct http_route_table routes_users;
extern const struct http_route_table routes_departments;
extern const struct http_route_table routes_cameras;
extern const struct http_route_table routes_camera_test;
extern const struct http_route_table routes_audit;
extern const struct http_route_table routes_system;
extern const struct http_route_table routes_bus;
extern const struct http_route_table routes_live;
extern const struct http_route_table routes_media;
extern const struct http_route_table routes_events;
extern const struct http_route_table routes_cases;
extern const struct http_route_table routes_county;
extern const struct http_route_table routes_hls;
extern const struct http_route_table routes_imports;

extern const struct http_route_table *const routes_all[];
extern const size_t routes_all_count;

#endif
