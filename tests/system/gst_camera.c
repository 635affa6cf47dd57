/* A camera that is not ours: Debian's gst-rtsp-server serving a test picture at
 * /test on a loopback port it picks. Prints "rtsp://127.0.0.1:PORT/test" once it
 * listens; ends on SIGTERM. Arguments: h264 or h265, then tcp, udp or both (what it offers), and for
 * RTSPS a file with a certificate and its key (PEM). */
#include <glib-unix.h>
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <string.h>

static gboolean on_signal(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

/* Everybody may watch, over TLS. */
static gboolean secure(GstRTSPServer *server, GstRTSPMediaFactory *factory, const char *file)
{
    GError *error = NULL;
    GTlsCertificate *certificate = g_tls_certificate_new_from_file(file, &error);
    if (!certificate) {
        fprintf(stderr, "gst-camera: %s\n", error->message);
        g_error_free(error);
        return FALSE;
    }
    GstRTSPAuth *auth = gst_rtsp_auth_new();
    GstRTSPToken *token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "anybody", NULL);
    gst_rtsp_auth_set_tls_certificate(auth, certificate);
    gst_rtsp_auth_set_default_token(auth, token);
    gst_rtsp_media_factory_add_role(factory, "anybody", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN,
                                    TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
    gst_rtsp_server_set_auth(server, auth);
    gst_rtsp_token_unref(token);
    g_object_unref(auth);
    g_object_unref(certificate);
    return TRUE;
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    const char *codec = argc > 1 ? argv[1] : "h264";
    const char *encoder =
        strcmp(codec, "h265") == 0
            ? "x265enc speed-preset=ultrafast tune=zerolatency key-int-max=15 ! rtph265pay name=pay0 pt=96"
            : "x264enc speed-preset=ultrafast tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96";
    char *launch = g_strdup_printf("( videotestsrc is-live=true pattern=ball ! "
                                   "video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! %s )",
                                   encoder);
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GstRTSPServer *server = gst_rtsp_server_new();
    gst_rtsp_server_set_address(server, "127.0.0.1");
    gst_rtsp_server_set_service(server, "0");
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(factory, launch);
    gst_rtsp_media_factory_set_shared(factory, TRUE);
    const char *offers = argc > 2 ? argv[2] : "both";
    if (strcmp(offers, "both") != 0)
        gst_rtsp_media_factory_set_protocols(factory, strcmp(offers, "udp") == 0 ? GST_RTSP_LOWER_TRANS_UDP
                                                                                 : GST_RTSP_LOWER_TRANS_TCP);
    if (argc > 3 && !secure(server, factory, argv[3]))
        return 1;
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    gst_rtsp_mount_points_add_factory(mounts, "/test", factory);
    g_object_unref(mounts);

    guint id = gst_rtsp_server_attach(server, NULL);
    if (id == 0) {
        fprintf(stderr, "gst-camera: cannot listen on 127.0.0.1\n");
        return 1;
    }
    printf("%s://127.0.0.1:%d/test\n", argc > 3 ? "rtsps" : "rtsp", gst_rtsp_server_get_bound_port(server));
    fflush(stdout);
    g_unix_signal_add(SIGTERM, on_signal, loop);
    g_main_loop_run(loop);

    g_source_remove(id);
    g_object_unref(server);
    g_main_loop_unref(loop);
    g_free(launch);
    return 0;
}
