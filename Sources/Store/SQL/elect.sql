-- name: elect
-- Makes coordinator $1 the leader of a new term of $2 seconds, if the present one's time is over. No row back means that
-- somebody leads, or that a leader's write is under way: its row is not waited for.
WITH vacant AS MATERIALIZED (
  SELECT l.single,
         l.part_id
    FROM rrcm.leadership l
   WHERE l.deadline_at < now()
     FOR NO KEY UPDATE SKIP LOCKED
), elected AS (
  UPDATE rrcm.leadership l
     SET term = l.term + 1,
         part_id = p.part_id,
         elected_at = now(),
         deadline_at = now() + make_interval(secs => $2)
    FROM vacant, rrcm.part p
   WHERE l.single = vacant.single
     AND p.part_id = $1
  RETURNING l.term, p.host, p.pid
), noted AS (
  INSERT INTO rrcm.event (kind, detail)
  SELECT 'leader_elected', format('coordinator %s-%s leads, term %s', host, pid, term)
    FROM elected
)
SELECT term FROM elected
