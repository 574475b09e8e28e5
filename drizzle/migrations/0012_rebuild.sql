-- What is folded of somebody who was erased leaves no hash behind.
grant update (payload_hash) on servicing.event_ids to recoup_projector;
