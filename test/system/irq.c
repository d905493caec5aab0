/* SPDX-License-Identifier: MIT */
/*
 * Claim: an interrupt of a device sets bits in a notification once, the line stays quiet until it is
 * acknowledged, and a line without a listener is no trouble.
 *
 * The device is the clock of QEMU virt (goldfish-rtc), whose alarm this program sets through a phys
 * object of its registers.  It would fail if a line were not masked while it is handled, if the bits
 * were lost, or if phys showed other registers than the device's.
 */
#include "test/support/worker.h"

#define RTC_BASE   0x101000ul
#define RTC_IRQ    11
#define OTHER_IRQ  5
#define TIME_LOW   0 /* registers, in 32-bit words */
#define TIME_HIGH  1
#define ALARM_LOW  2
#define ALARM_HIGH 3
#define ENABLED    4
#define CLEAR      7

static volatile uint32_t *rtc;

static uint64_t rtc_now(void)
{
    uint64_t low = rtc[TIME_LOW];
    return low | (uint64_t)rtc[TIME_HIGH] << 32;
}

static void rtc_alarm(uint64_t delay_ns)
{
    uint64_t at = rtc_now() + delay_ns;

    rtc[ENABLED] = 1;
    rtc[ALARM_HIGH] = (uint32_t)(at >> 32);
    rtc[ALARM_LOW] = (uint32_t)at;
}

/* Ask for bits until they come, or for long enough. */
static word_t poll(cap_t n)
{
    for (unsigned i = 0; i < 200000; i++) {
        struct result r = sys_call(n, tag_make(SYS_CALL | SYS_NONBLOCK, OP_notification_wait, 0, 0),
                                   0, 0, 0, 0, 0, 0);
        if (r.status == ST_OK)
            return r.value;
    }
    return 0;
}

static void test_errors(cap_t irq, cap_t n)
{
    cap_t weak = copy_of(n, NOTIFICATION_WAIT), blind = copy_of(irq, 0);

    REFUSED(q_irq_acknowledge(irq), ST_NOT_BOUND, 0,
            "irq.acknowledge NOT_BOUND: bound to no notification");
    REFUSED(q_irq_bind(irq, SLOT_BANK, 1), ST_BAD_CAP, 0, "irq.bind BAD_CAP: no notification");
    REFUSED(q_irq_bind(irq, weak, 1), ST_BAD_CAP, 0,
            "irq.bind BAD_CAP: notification without right SIGNAL");
    REFUSED(q_irq_bind(irq, n, 0), ST_BAD_ARG, 1,
            "irq.bind BAD_ARG: no bits, detail is the argument index");
    REFUSED(q_irq_bind(blind, n, 1), ST_NO_RIGHT, IRQ_CONTROL, "irq.bind needs right CONTROL");
    drop(weak);
    drop(blind);
}

static void test_alarm(cap_t irq, cap_t n)
{
    must(q_irq_bind(irq, n, 4), "irq.bind");
    rtc_alarm(1000000);
    same(poll(n), 4, "an interrupt sets the bits it was bound with");
    rtc[CLEAR] = 1;
    same(must(q_irq_acknowledge(irq), "acknowledge"), 1, "irq.acknowledge counts the interrupts");

    rtc_alarm(100000);
    must(q_notification_wait(n), "wait");
    ok(true, "a thread sleeps until the interrupt comes");
    /* not acknowledged: the next alarm stays pending at the controller */
    rtc[CLEAR] = 1;
    rtc_alarm(100000);
    ok(poll(n) == 0, "a line that is not acknowledged stays masked");
    must(q_irq_acknowledge(irq), "acknowledge");
    same(poll(n), 4, "irq.acknowledge lets the pending interrupt through");
    rtc[CLEAR] = 1;
    must(q_irq_acknowledge(irq), "acknowledge");

    must(q_irq_bind(irq, 0, 0), "unbind");
    rtc_alarm(100000);
    ok(poll(n) == 0, "irq.bind 0: an unbound line is quiet");
    rtc[CLEAR] = 1;
    rtc[ENABLED] = 0;
}

static void test_death(cap_t irq)
{
    cap_t n = make(OBJ_notification, 0, 0);

    must(q_irq_bind(irq, n, 1), "bind");
    drop(n);
    ok(q_irq_acknowledge(irq).status == ST_OK, "a binding keeps the notification alive");
    must(q_irq_bind(irq, 0, 0), "unbind");
    ok(q_irq_acknowledge(irq).status == ST_NOT_BOUND, "irq.bind 0 undoes the binding");
}

int main(void)
{
    word_t before;
    cap_t phys, irq, n;

    kit_begin();
    before = pages_used();
    phys = make_in(kit.devices, OBJ_phys, RTC_BASE, PAGE);
    irq = make_in(kit.devices, OBJ_irq, RTC_IRQ, 0);
    n = make(OBJ_notification, 0, 0);
    rtc = kit_map(phys, PAGE, 0, MAP_READ | MAP_WRITE);
    ok(rtc_now() > 0, "a phys object shows the device's registers");
    test_errors(irq, n);
    test_alarm(irq, n);
    test_death(irq);
    kit_unmap((void *)rtc, PAGE);
    drop(phys);
    drop(irq);
    drop(n);
    same(pages_used(), before, "irq counters return to where they were");
    return tap_end();
}
