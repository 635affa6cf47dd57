#include "scene.h"

#include <math.h>

double ramp(double t, double from, double until)
{
    double x = (t - from) / (until - from);

    if (x <= 0)
        return 0;
    return x >= 1 ? 1 : x * x * (3 - 2 * x);
}

double during(double t, double at, double until)
{
    return ramp(t, at, at + 1) * (1 - ramp(t, until - 1, until));
}

double sweep(double t, double period, double phase, double from, double to)
{
    double x = fmod(t / period + phase, 1);

    return from + (to - from) * x;
}
