// The receiving half of UC: no answers, so a message that loses a packet is dropped as a whole and the next one is
// waited for. The receive that a broken SEND had taken serves the next message. IBTA vol 1, 9.8.2.2.
#pragma once

#include "rxe/engine.h"

namespace rocelab::rxe::uc_responder {

void handle_request(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet);

}  // namespace rocelab::rxe::uc_responder
