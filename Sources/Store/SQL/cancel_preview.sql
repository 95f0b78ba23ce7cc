-- name: cancel_preview
-- What cancelling the given runs would touch: items without a certificate, leases, and training jobs in hand.
SELECT r.run_id,
       r.name,
       r.state::text AS state,
       r.finished_at IS NOT NULL AS ended,
       (SELECT count(*) FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state <> 'certified') AS items,
       (SELECT count(*) FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id) AS leases,
       (SELECT count(*) FROM rrcm.job j WHERE j.run_id = r.run_id AND j.finished_at IS NULL) AS jobs,
       ARRAY(SELECT d.run_id FROM rrcm.run d WHERE d.depends_on = r.run_id AND d.finished_at IS NULL ORDER BY d.run_id)
         AS waiting
  FROM rrcm.run r
 WHERE r.run_id = ANY ($1::bigint[])
 ORDER BY r.run_id
