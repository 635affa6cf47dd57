/* What can be set. One row an option, grouped by section; --help, --check, the file,
 * the environment and --set all read this table and nothing else. */
#include "options_table.h"

#define DAY_S 86400.0
#define GIB   1073741824.0

#define TEXT(section, key, fallback, help)                                                                   \
    {                                                                                                        \
        section, key, OPTION_TEXT, fallback, 0, 0, help                                                      \
    }
#define INT(section, key, fallback, min, max, help)                                                          \
    {                                                                                                        \
        section, key, OPTION_INT, fallback, min, max, help                                                   \
    }
#define REAL(section, key, fallback, min, max, help)                                                         \
    {                                                                                                        \
        section, key, OPTION_REAL, fallback, min, max, help                                                  \
    }

/* clang-format off */
const struct option_def options_table[] = {
    TEXT("gateway", "data_dir", "./sharpeyes-data", "directory of the database, keys and, by default, recordings"),
    TEXT("gateway", "timezone", "Asia/Shanghai", "IANA name; for calendars and display only"),
    TEXT("gateway", "log_level", "info", "error, warn, info or debug"),

    TEXT("http", "listen", "127.0.0.1:8080", "ADDRESS:PORT; port 0 picks one, see DATA_DIR/http.addr"),
    INT("http", "threads", "2", 1, 64, "threads that send and receive"),
    INT("http", "workers", "4", 1, 64, "threads that run requests that read, and as many for those that change"),
    INT("http", "queue", "256", 1, 65536, "requests that change something and may wait for a worker, and four times as many that read; more are answered 503"),
    INT("http", "connections", "12000", 16, 65536, "open connections, as far as the limit of open files goes; more must wait"),
    TEXT("http", "console_dir", "", "directory of the built console; empty: the one this program was built with"),
    INT("http", "body_timeout_s", "30", 1, 3600, "seconds for a request's body to arrive"),
    INT("http", "headers_s", "10", 1, 3600, "seconds for a request's headers to arrive; fewer when the house is full"),
    INT("http", "idle_s", "30", 1, 3600, "seconds a connection may do nothing; fewer when the house is full"),
    INT("http", "stall_s", "8", 1, 3600, "seconds after which a viewer that stops reading is cut off"),
    INT("http", "keepalive_s", "5", 1, 60, "seconds between keep-alives on open streams"),
    INT("http", "hls_idle_s", "30", 1, 3600, "seconds after its last request that a stream is still cut into HLS segments"),
    INT("http", "hls_bytes", "536870912", 1048576, 64 * GIB, "bytes that HLS segments may hold on to, all streams together"),

    TEXT("rtsp", "listen", "127.0.0.1:8554", "ADDRESS:PORT that streams are served on as rtsp://ADDRESS:PORT/CAMERA[/sub]; port 0 picks one, see DATA_DIR/rtsp.addr"),
    INT("rtsp", "connections", "4096", 8, 65536, "open RTSP connections, as far as a quarter of the limit of open files goes; more are closed at once"),
    INT("rtsp", "connections_per_address", "1024", 1, 65536, "open RTSP connections of one address"),
    INT("rtsp", "udp_viewers", "256", 0, 4096, "RTSP viewers over UDP at a time; further ones are told to use TCP"),
    TEXT("rtsp", "udp_ports", "", "FIRST-LAST, the ports that UDP viewers are served from; empty: any"),
    INT("rtsp", "stall_s", "5", 1, 3600, "seconds after which an RTSP viewer that stops reading is cut off"),
    INT("rtsp", "idle_s", "20", 1, 3600, "seconds an RTSP connection may take to be let in and begin; fewer when the house is full"),
    INT("rtsp", "session_s", "60", 1, 3600, "seconds that an RTSP viewer over UDP, or a paused one, may say nothing; a quarter more is let pass"),
    INT("rtsp", "start_s", "8", 1, 60, "seconds an RTSP viewer waits for a camera that is not running yet"),

    TEXT("store", "url", "", "sqlite:PATH; empty: sqlite:DATA_DIR/sharpeyes.db"),
    INT("store", "readers", "4", 1, 64, "connections that read in parallel"),

    TEXT("volume", "path", "", "directory that holds recordings, in a section [volume NAME]"),

    INT("ingest", "loops", "0", 0, 64, "event loops that cameras are spread over; 0: one a processor, at most 8"),
    TEXT("ingest", "allow", "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", "networks that camera addresses may resolve to; loopback only when listed"),
    INT("ingest", "connect_timeout_ms", "4000", 10, 60000, "milliseconds for a camera to accept a connection"),
    INT("ingest", "answer_timeout_ms", "8000", 10, 60000, "milliseconds for a camera to answer a request"),
    INT("ingest", "stall_ms", "8000", 100, 600000, "milliseconds without a frame after which a camera counts as stalled"),
    INT("ingest", "retry_min_ms", "1000", 10, 600000, "milliseconds before the first retry; doubles from there, with jitter"),
    INT("ingest", "retry_max_ms", "30000", 10, 3600000, "most milliseconds between tries of a camera that answers but fails"),
    INT("ingest", "retry_unreachable_max_ms", "5000", 10, 3600000, "most milliseconds between tries of a camera that does not answer"),
    INT("ingest", "auth_retry_s", "600", 1, DAY_S, "seconds between tries once a camera has refused the password three times"),
    INT("ingest", "keepalive_s", "0", 0, 3600, "seconds between RTSP keep-alives; 0: from the session's time-out"),
    INT("ingest", "metrics_cameras", "1000", 0, 20000, "cameras with figures of their own in /metrics, the first by id"),
    TEXT("ingest", "tls_ca_file", "", "certificates (PEM) of the authorities that may vouch for rtsps:// cameras; empty: the system's"),
    TEXT("ingest", "udp_ports", "", "range of local UDP ports for cameras that send over UDP, 40000-49999; empty: the kernel chooses"),
    INT("ingest", "udp_reorder_ms", "100", 0, 5000, "milliseconds a UDP packet waits for those before it"),
    INT("ingest", "udp_loss_percent", "3", 0, 100, "percent of UDP packets lost above which auto goes over to TCP"),
    INT("ingest", "udp_loss_window_ms", "3000", 100, 600000, "milliseconds over which that loss is measured; twice in a row counts"),
    INT("ingest", "transport_retry_s", "600", 0, DAY_S, "seconds before a camera that refused TCP is asked again because UDP loses packets"),
    INT("ingest", "av_streams", "64", 1, 1024, "streams that libavformat pulls at once, on a thread each: all but rtsp and rtsps, and those set to the engine ffmpeg"),
    INT("ingest", "try_ms", "15000", 100, 60000, "milliseconds that a stream which is only tried has to show a picture"),
    INT("ingest", "gop_cache_bytes", "16777216", 65536, GIB, "bytes of live fragments kept for each stream"),
    INT("ingest", "on_demand_linger_s", "30", 0, DAY_S, "seconds an on-demand stream goes on after its last viewer left"),
    INT("ingest", "segment_s", "60", 1, 3600, "seconds of one recorded file"),
    INT("ingest", "sync_ms", "1000", 10, 2000, "milliseconds between two flushes of recordings to the disk"),
    INT("ingest", "write_queue_bytes", "0", 0, 64 * GIB, "bytes that may wait for one volume, at least 1 MiB; beyond, whole groups of pictures are dropped; 0: a sixteenth of the memory, 128 to 512 MiB"),
    INT("ingest", "repair_days", "2", 1, 36500, "days back that files without an entry in the store are looked for at start"),

    INT("pixels", "threads", "1", 1, 64, "threads' worth of decoding that snapshots may use at once"),

    INT("events", "correlation_window_s", "120", 0, DAY_S, "seconds within which like signals join one incident; a tag may have its own"),
    REAL("events", "correlation_distance_m", "50", 0, 10000, "metres within which like signals without a camera join one incident"),
    REAL("events", "grid_distance_m", "500", 0, 100000, "metres from which the nearest grid is still taken for a place outside all"),
    INT("events", "evidence_before_s", "10", 0, 3600, "seconds of recording before an incident that belong to its evidence"),
    INT("events", "evidence_after_s", "20", 1, 3600, "seconds of recording after an incident that belong to its evidence"),

    TEXT("access", "admin_password_file", "", "file with the first administrator's password; empty: a random one in DATA_DIR/initial-admin-password"),
    REAL("access", "session_hours", "12", 0.0001, 8760, "hours a sign-in lasts"),
    REAL("access", "ticket_minutes", "60", 0.001, 1440, "minutes a media ticket lasts"),
    INT("access", "sign_in_window_s", "900", 1, DAY_S, "seconds in which five failed sign-ins of a user and address block further ones"),
};
/* clang-format on */

const unsigned options_table_count = sizeof(options_table) / sizeof(options_table[0]);
