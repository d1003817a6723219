// Work requests that this device does alone: binding a memory window, local invalidation, fast registration. Executed
// by the requester when their turn in the send queue comes. IBTA vol 1, 10.6.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe {

/// Does what wqe asks (is_local()); on failure sets its status and vendor_error and changes nothing else.
bool execute_local_work(Engine& engine, Qp& qp, SendWqe& wqe);

}  // namespace rocelab::rxe
