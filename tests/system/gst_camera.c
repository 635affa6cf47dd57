/* A camera that is not ours: Debian's gst-rtsp-server serving a test picture at
 * /test on a loopback port it picks. Prints "rtsp://127.0.0.1:PORT/test" once it
 * listens; ends on SIGTERM. With an argument "h265" the picture is H.265. */
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
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
    gst_rtsp_mount_points_add_factory(mounts, "/test", factory);
    g_object_unref(mounts);

    guint id = gst_rtsp_server_attach(server, NULL);
    if (id == 0) {
        fprintf(stderr, "gst-camera: cannot listen on 127.0.0.1\n");
        return 1;
    }
    printf("rtsp://127.0.0.1:%d/test\n", gst_rtsp_server_get_bound_port(server));
    fflush(stdout);
    g_unix_signal_add(SIGTERM, on_signal, loop);
    g_main_loop_run(loop);

    g_source_remove(id);
    g_object_unref(server);
    g_main_loop_unref(loop);
    g_free(launch);
    return 0;
}
