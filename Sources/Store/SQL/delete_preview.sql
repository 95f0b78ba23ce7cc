-- name: delete_preview
-- What deleting the given runs would remove, and what stands in the way: runs that depend on them (those deleted with them
-- left out), and sweeps.
SELECT r.run_id,
       r.name,
       r.kind::text AS kind,
       r.state::text AS state,
       r.finished_at IS NOT NULL AS ended,
       (SELECT count(*) FROM rrcm.item i WHERE i.run_id = r.run_id) AS items,
       (SELECT count(*) FROM rrcm.chunk_count c JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id) AS chunks,
       (SELECT count(*) FROM rrcm.certificate c JOIN rrcm.item i USING (item_id) WHERE i.run_id = r.run_id)
         AS certificates,
       (SELECT count(*) FROM rrcm.metric m WHERE m.run_id = r.run_id) AS metrics,
       ARRAY(
         SELECT d.run_id
           FROM rrcm.run d
          WHERE d.depends_on = r.run_id
            AND d.run_id <> ALL ($1::bigint[])
          ORDER BY d.run_id
       ) AS dependents,
       (SELECT s.name
          FROM rrcm.trial_run tr
          JOIN rrcm.trial t USING (trial_id)
          JOIN rrcm.sweep s USING (sweep_id)
         WHERE tr.run_id = r.run_id) AS sweep
  FROM rrcm.run r
 WHERE r.run_id = ANY ($1::bigint[])
 ORDER BY r.run_id
