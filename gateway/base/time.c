#include "base/time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define LAST_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * SE_US_PER_S + ts.tv_nsec / 1000;
}

se_mono_us se_mono_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

se_wall_us se_wall_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

se_wall_ms se_wall_now_ms(void)
{
    return se_wall_now_us() / 1000;
}

void se_time_format(se_wall_ms ms, char out[SE_TIME_LEN])
{
    struct tm tm = {0};
    time_t seconds;

    if (ms < 0)
        ms = 0;
    if (ms > LAST_MS)
        ms = LAST_MS;
    seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &tm);
    /* The ranges are known; the modulo tells the compiler so. */
    snprintf(out, SE_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(tm.tm_year + 1900) % 10000u,
             (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
             (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u, (unsigned)(ms % 1000));
}

/* Reads exactly n digits; -1 when one is missing. */
static int digits(const char **at, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *at += n;
    return value;
}

static bool expect(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool leap_year(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; year is at least 1. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;

    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + day - 1;
}

static int parse_date(const char **at, int64_t *ret_days)
{
    int year = digits(at, 4);
    int month, day;

    if (year < 1 || !expect(at, '-'))
        return -EINVAL;
    month = digits(at, 2);
    if (month < 1 || month > 12 || !expect(at, '-'))
        return -EINVAL;
    day = digits(at, 2);
    if (day < 1 || day > days_in_month(year, month))
        return -EINVAL;
    *ret_days = days_since_1970(year, month, day);
    return 0;
}

/* partial-time; ms of the day. A leap second (60) is checked by the caller, who knows the offset. */
static int parse_time_of_day(const char **at, int64_t *ret_ms, bool *ret_leap)
{
    int hour = digits(at, 2);
    int minute, second, ms = 0;

    if (hour < 0 || hour > 23 || !expect(at, ':'))
        return -EINVAL;
    minute = digits(at, 2);
    if (minute < 0 || minute > 59 || !expect(at, ':'))
        return -EINVAL;
    second = digits(at, 2);
    if (second < 0 || second > 60)
        return -EINVAL;
    if (expect(at, '.')) {
        int scale = 100;

        if (**at < '0' || **at > '9')
            return -EINVAL;
        for (; **at >= '0' && **at <= '9'; (*at)++) {
            ms += (**at - '0') * scale;
            scale /= 10;
        }
    }
    *ret_leap = second == 60;
    *ret_ms = ((hour * 60LL + minute) * 60 + second) * 1000 + ms;
    return 0;
}

static int parse_offset(const char **at, int64_t *ret_minutes)
{
    int sign, hour, minute;

    if (expect(at, 'Z') || expect(at, 'z')) {
        *ret_minutes = 0;
        return 0;
    }
    if (expect(at, '+'))
        sign = 1;
    else if (expect(at, '-'))
        sign = -1;
    else
        return -EINVAL;
    hour = digits(at, 2);
    if (hour < 0 || hour > 23 || !expect(at, ':'))
        return -EINVAL;
    minute = digits(at, 2);
    if (minute < 0 || minute > 59)
        return -EINVAL;
    *ret_minutes = sign * (hour * 60 + minute);
    return 0;
}

int se_time_parse(const char *text, se_wall_ms *ret_ms)
{
    int64_t days, day_ms, minutes, ms;
    bool leap;

    if (!text || parse_date(&text, &days) < 0)
        return -EINVAL;
    if (!expect(&text, 'T') && !expect(&text, 't'))
        return -EINVAL;
    if (parse_time_of_day(&text, &day_ms, &leap) < 0 || parse_offset(&text, &minutes) < 0 || *text)
        return -EINVAL;
    ms = days * 86400000 + day_ms - minutes * 60000;
    /* Leap seconds are inserted at the end of a UTC day; POSIX time gives them the next day's first second.
     */
    if (leap && (ms / 1000) % 86400 != 0)
        return -EINVAL;
    if (ms < 0 || ms > LAST_MS)
        return -EINVAL;
    *ret_ms = ms;
    return 0;
}
