/* GCJ-02 and back, against pairs that others publish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/error.h"
#include "base/geo.h"

static void assert_near(double is, double should, double within)
{
    if (!(fabs(is - should) <= within))
        fail_msg("%.9f is not %.9f", is, should);
}

static void known_pairs(void **state)
{
    static const struct {
        struct se_place wgs84, gcj02;
    } pairs[] = {
        {{31.1774276, 121.5272106}, {31.17530398364597, 121.531541859215}},
        {{22.543847, 113.912316}, {22.540796131694766, 113.9171764808363}},
        {{39.911954, 116.377817}, {39.91334545536069, 116.38404722455657}},
        {{39.915, 116.404}, {39.91640428150164, 116.41024449916938}},
    };
    for (unsigned i = 0; i < SE_ARRAY_LEN(pairs); i++) {
        struct se_place there = se_wgs84_to_gcj02(pairs[i].wgs84), back = se_gcj02_to_wgs84(pairs[i].gcj02);
        assert_near(there.lat, pairs[i].gcj02.lat, 1e-6);
        assert_near(there.lon, pairs[i].gcj02.lon, 1e-6);
        assert_near(back.lat, pairs[i].wgs84.lat, 1e-6);
        assert_near(back.lon, pairs[i].wgs84.lon, 1e-6);
    }
}

static void there_and_back_all_over_china(void **state)
{
    for (double lat = 18; lat < 53; lat += 1.7) {
        for (double lon = 74; lon < 135; lon += 2.3) {
            struct se_place back = se_gcj02_to_wgs84(se_wgs84_to_gcj02((struct se_place){lat, lon}));
            assert_near(back.lat, lat, 1e-7);
            assert_near(back.lon, lon, 1e-7);
        }
    }
}

static void elsewhere_nothing_moves(void **state)
{
    static const struct se_place places[] = {{48.8584, 2.2945}, {-33.8568, 151.2153}, {0, 0}, {90, 180}};
    for (unsigned i = 0; i < SE_ARRAY_LEN(places); i++) {
        struct se_place there = se_wgs84_to_gcj02(places[i]), back = se_gcj02_to_wgs84(places[i]);
        assert_true(there.lat == places[i].lat && there.lon == places[i].lon);
        assert_true(back.lat == places[i].lat && back.lon == places[i].lon);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_pairs),
        cmocka_unit_test(there_and_back_all_over_china),
        cmocka_unit_test(elsewhere_nothing_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
