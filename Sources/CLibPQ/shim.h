#include <libpq-fe.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

/* A counter that poll(2) can wait for: closed on exec, never blocking; -1 on failure. */
static inline int rrcm_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/* Names the calling thread for `top -H`; cut to 15 bytes. */
static inline void rrcm_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
