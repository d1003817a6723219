// fork(): the parent goes on, the child has no device. Nothing has to be kept from copy-on-write, because the engine
// moves bytes with the parent's own loads and stores, so ibv_fork_init has nothing to do and always works.
#include <infiniband/verbs.h>

#include <cstddef>

int ibv_fork_init(void) { return 0; }

ibv_fork_status ibv_is_fork_initialized(void) { return IBV_FORK_UNNEEDED; }

extern "C" {
int ibv_dontfork_range(void*, std::size_t) { return 0; }
int ibv_dofork_range(void*, std::size_t) { return 0; }
}
