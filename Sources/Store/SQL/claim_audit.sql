-- name: claim_audit
-- Gives worker ($2, $3) of numerics id $4 one open audit of run $1 until $5 seconds from now: one that it has not computed, of
-- votes that somebody else posted, disputes first. Its own votes it gets only when it is alone: no other worker of the id was heard of for
-- $6 seconds (nor, for so long after the audit was drawn, one that has not shown its id yet), or nobody took the audit for $7 seconds.
WITH holder AS MATERIALIZED (
  SELECT w.worker_id,
         w.epoch
    FROM rrcm.worker w
   WHERE w.worker_id = $2
     AND w.epoch = $3
     AND w.state = 'live'
     AND w.quarantined_at IS NULL
), company AS MATERIALIZED (
  SELECT count(*) FILTER (WHERE w.numerics_ids @> ARRAY[$4::text]) > 0 AS known,
         count(*) FILTER (WHERE w.numerics_ids = '{}' AND w.state = 'live') > 0 AS possible
    FROM rrcm.worker w
   WHERE w.worker_id <> $2
     AND w.quarantined_at IS NULL
     AND w.beat_at > now() - make_interval(secs => $6)
), chosen AS MATERIALIZED (
  SELECT a.audit_id,
         i.image_index,
         i.sigma
    FROM rrcm.audit a
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r ON r.run_id = a.run_id
   CROSS JOIN company
   WHERE a.run_id = $1
     AND a.state IN ('due', 'disputed')
     AND r.state = 'running'
     AND r.paused_at IS NULL
     AND i.numerics_id = $4
     AND EXISTS (SELECT FROM holder)
     AND (a.deadline_at IS NULL
          OR a.deadline_at < now()
          OR NOT EXISTS (
               SELECT FROM rrcm.worker h
                WHERE h.worker_id = a.holder_id AND h.epoch = a.holder_epoch AND h.state <> 'gone'))
     AND NOT EXISTS (SELECT FROM rrcm.audit_computation c WHERE c.audit_id = a.audit_id AND c.worker_id = $2)
     AND (a.poster_id <> $2
          OR a.state = 'due'
             AND (NOT company.known AND (NOT company.possible OR a.due_at < now() - make_interval(secs => $6))
                  OR a.due_at < now() - make_interval(secs => $7)))
   ORDER BY a.state = 'due', a.audit_id
   LIMIT 1
     FOR UPDATE OF a SKIP LOCKED
)
UPDATE rrcm.audit a
   SET holder_id = holder.worker_id,
       holder_epoch = holder.epoch,
       deadline_at = now() + make_interval(secs => $5)
  FROM chosen, holder
 WHERE a.audit_id = chosen.audit_id
RETURNING a.audit_id, a.item_id, a.phase, a.chunk, chosen.image_index, chosen.sigma::text AS sigma
