// A clock, from the counter of the MPS2's FPGA (Arm application note AN385, "FPGA system control and I/O"), and a
// console that is waited for asleep: the port asks its UART without a pause, which keeps a whole core of the PC busy
// and hardly lets QEMU deliver the character.
#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"

#define CLOCK_HZ (25000000)

typedef struct {
    volatile uint32_t counter;  // goes up by one whenever the prescaler ends
    volatile uint32_t prescale; // what the prescaler starts from
} fpga_counter_t;

typedef struct {
    volatile uint32_t data, state, ctrl, interrupts;
} uart_t;

#define COUNTER ((fpga_counter_t *)(0x40028018))
#define UART0 ((uart_t *)(0x40004000))
#define UART_RXFULL (1 << 1)
#define UART_RX_INTERRUPT_EN (1 << 3)
#define UART_RX_INTERRUPT (1 << 1)

#define SYSTICK_CTRL (*(volatile uint32_t *)(0xe000e010))
#define SYSTICK_RELOAD (*(volatile uint32_t *)(0xe000e014))
#define NVIC_ENABLE (*(volatile uint32_t *)(0xe000e100))
#define NVIC_CLEAR_PENDING (*(volatile uint32_t *)(0xe000e280))
#define SCB_ICSR (*(volatile uint32_t *)(0xe000ed04))
#define ICSR_CLEAR_SYSTICK (1 << 25)
#define UART0_RX_LINE (1 << 0)

// Sleeps until a character is there or a millisecond has passed. Interrupts only wake it: none is ever taken.
void board_wait(void) {
    if (SYSTICK_CTRL == 0) {
        __asm volatile ("cpsid i");
        UART0->ctrl |= UART_RX_INTERRUPT_EN;
        NVIC_ENABLE = UART0_RX_LINE;
        SYSTICK_RELOAD = CLOCK_HZ / 1000 - 1;
        SYSTICK_CTRL = 7; // the processor's clock, its interrupt, on
    }
    __asm volatile ("wfi" ::: "memory");
    UART0->interrupts = UART_RX_INTERRUPT;
    NVIC_CLEAR_PENDING = UART0_RX_LINE;
    SCB_ICSR = ICSR_CLEAR_SYSTICK;
}

static uint32_t counted_us(void) {
    if (COUNTER->prescale == 0) {
        COUNTER->prescale = CLOCK_HZ / 1000000 - 1;
    }
    return COUNTER->counter;
}

mp_uint_t mp_hal_ticks_us(void) {
    return counted_us();
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return counted_us();
}

// The microseconds wrap after 71 minutes; milliseconds go on, as long as they are asked for at least so often.
mp_uint_t mp_hal_ticks_ms(void) {
    static uint32_t last_us, rest_us, ms;
    uint32_t now_us = counted_us();
    rest_us += now_us - last_us;
    last_us = now_us;
    ms += rest_us / 1000;
    rest_us %= 1000;
    return ms;
}

uint64_t mp_hal_time_ns(void) {
    return (uint64_t)mp_hal_ticks_ms() * 1000000;
}

void mp_hal_delay_us(mp_uint_t us) {
    uint32_t start = counted_us();
    while (counted_us() - start < us) {
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    mp_uint_t start = mp_hal_ticks_ms();
    while (mp_hal_ticks_ms() - start < ms) {
        mp_event_wait_ms(1);
    }
}

// These two stand before the port's own (mpconfigboard.mk).
int __wrap_mp_hal_stdin_rx_chr(void) {
    while (!(UART0->state & UART_RXFULL)) {
        board_wait();
    }
    return UART0->data;
}

uintptr_t __wrap_mp_hal_stdio_poll(uintptr_t flags) {
    uintptr_t ready = flags & MP_STREAM_POLL_WR;
    if ((flags & MP_STREAM_POLL_RD) && (UART0->state & UART_RXFULL)) {
        ready |= MP_STREAM_POLL_RD;
    }
    return ready;
}
