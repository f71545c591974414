/* vmm/serial.c - see serial.h */
#include "vmm/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/irq.h"

#define FLUSH_NS 10000000L

/* ---- output -------------------------------------------------------------------------- */

static void give_on(struct serial *s, bool wait)
{
	size_t n = s->text_n > 0 ? s->out(s->of, s->text, s->text_n, wait) : 0;

	s->text_n -= n;
	memmove(s->text, s->text + n, s->text_n);
}

static void flush_soon(const struct serial *s)
{
	struct itimerspec soon = { .it_value.tv_nsec = FLUSH_NS };

	timerfd_settime(s->flush.fd, 0, &soon, NULL);
}

static void send(struct serial *s, uint8_t c)
{
	if (s->text_n == 0 && c != '\n')
		flush_soon(s);
	s->text[s->text_n++] = (char)c;
	if (c == '\n' || s->text_n == sizeof(s->text))
		give_on(s, true);
}

static void flush_due(struct loop_watch *w, uint32_t events)
{
	struct serial *s = (struct serial *)((char *)w - offsetof(struct serial, flush));
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) != sizeof(n))
		return;
	/* A vCPU that has the lock may wait for the reader: the loop must not, nor itself. */
	if (pthread_mutex_trylock(&s->lock) != 0) {
		flush_soon(s);
		return;
	}
	give_on(s, false);
	if (s->text_n > 0)
		flush_soon(s);
	pthread_mutex_unlock(&s->lock);
}

void serial_flush(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	give_on(s, true);
	pthread_mutex_unlock(&s->lock);
}

/* ---- interrupts ----------------------------------------------------------------------- */

/* The most urgent reason, as IIR spells it. */
static uint8_t reason(const struct serial *s)
{
	if ((s->ier & UART_IER_RDI) && s->in_n > 0)
		return UART_IIR_RDI;
	if ((s->ier & UART_IER_THRI) && !s->thre_told)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* OUT2 is what connects the chip to the line on a PC. */
static void update_line(struct serial *s)
{
	bool up = reason(s) != UART_IIR_NO_INT && (s->mcr & UART_MCR_OUT2);

	if (up && !s->line)
		irq_pulse(s->irq);
	s->line = up;
}

/* ---- registers ------------------------------------------------------------------------ */

/* What a driver that tests the chip sent to itself in loopback: nothing else comes in. */
static uint8_t receive(struct serial *s)
{
	if (s->in_n == 0)
		return 0;
	uint8_t c = s->in[s->in_first];

	s->in_first = (s->in_first + 1) % SERIAL_IN_MAX;
	s->in_n--;
	/* An edge for each byte that still waits: the guest may take one an interrupt. */
	s->line = false;
	return c;
}

/* In loopback the outputs of the modem control are its inputs: Linux tests for it. */
static uint8_t modem_status(const struct serial *s)
{
	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (uint8_t)((s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
			 (s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
			 (s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
			 (s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0));
}

static uint8_t read_register(struct serial *s, unsigned at)
{
	uint8_t v;

	switch (at) {
	case UART_RX:
		return s->lcr & UART_LCR_DLAB ? s->dll : receive(s);
	case UART_IER:
		return s->lcr & UART_LCR_DLAB ? s->dlm : s->ier;
	case UART_IIR:
		v = reason(s);
		if (v == UART_IIR_THRI)
			s->thre_told = true;
		return (uint8_t)(v | (s->fifo ? 0xc0 : 0));
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return (uint8_t)(UART_LSR_THRE | UART_LSR_TEMT | (s->in_n > 0 ? UART_LSR_DR : 0));
	case UART_MSR:
		return modem_status(s);
	default:
		return s->scr;
	}
}

static void transmit(struct serial *s, uint8_t v)
{
	if (s->mcr & UART_MCR_LOOP) {
		if (s->in_n < SERIAL_IN_MAX)
			s->in[(s->in_first + s->in_n++) % SERIAL_IN_MAX] = v;
	} else {
		send(s, v);
	}
	/* Full for no time at all: empty again, which is a new reason to interrupt. */
	s->thre_told = false;
	s->line = false;
}

static void set_fifo(struct serial *s, uint8_t v)
{
	s->fifo = v & UART_FCR_ENABLE_FIFO;
	if (v & UART_FCR_CLEAR_RCVR)
		s->in_n = 0;
}

static void write_register(struct serial *s, unsigned at, uint8_t v)
{
	bool divisor = s->lcr & UART_LCR_DLAB;

	switch (at) {
	case UART_TX:
		if (divisor)
			s->dll = v;
		else
			transmit(s, v);
		break;
	case UART_IER:
		if (divisor) {
			s->dlm = v;
			break;
		}
		/* Turned on while the transmitter is empty, it interrupts at once. */
		if ((v & UART_IER_THRI) && !(s->ier & UART_IER_THRI))
			s->thre_told = false;
		s->ier = v & 0x0f;
		break;
	case UART_FCR:
		set_fifo(s, v);
		break;
	case UART_LCR:
		s->lcr = v;
		break;
	case UART_MCR:
		s->mcr = v & 0x1f;
		break;
	case UART_SCR:
		s->scr = v;
		break;
	}
}

void serial_read(void *of, uint64_t offset, void *p, unsigned n)
{
	struct serial *s = of;

	memset(p, 0, n);
	pthread_mutex_lock(&s->lock);
	uint8_t v = read_register(s, (unsigned)offset);

	update_line(s);
	pthread_mutex_unlock(&s->lock);
	memcpy(p, &v, 1);
}

void serial_write(void *of, uint64_t offset, const void *p, unsigned n)
{
	struct serial *s = of;
	uint8_t v;

	(void)n;                        /* the chip has eight data lines */
	memcpy(&v, p, 1);
	pthread_mutex_lock(&s->lock);
	write_register(s, (unsigned)offset, v);
	update_line(s);
	pthread_mutex_unlock(&s->lock);
}

int serial_init(struct serial *s, struct loop *l, int irq,
		size_t (*out)(void *of, const char *p, size_t n, bool wait), void *of,
		struct err *e)
{
	*s = (struct serial){ .loop = l, .irq = irq, .out = out, .of = of,
			      .flush = { .fd = -1, .ready = flush_due } };
	pthread_mutex_init(&s->lock, NULL);
	s->flush.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->flush.fd < 0)
		return err_sys(e, errno, "timerfd of the serial port");
	return loop_add(l, &s->flush, EPOLLIN, e);
}

void serial_release(struct serial *s)
{
	if (!s->loop)
		return;
	loop_remove(s->loop, &s->flush);
	fd_close(&s->flush.fd);
	pthread_mutex_destroy(&s->lock);
	s->loop = NULL;
}
