-- name: repin_preview
-- What repinning run $1 to numerics id $2 (null: any) would touch: items without a certificate that wait for another id of
-- which no worker lives, and their stored chunks.
SELECT r.kind::text AS kind,
       r.state::text AS state,
       r.numerics_ids,
       (SELECT count(*) FROM rrcm.stranded_item s WHERE s.run_id = r.run_id) AS stranded,
       (SELECT count(*)
          FROM rrcm.stranded_item s
         WHERE s.run_id = r.run_id
           AND s.pinned
           AND s.numerics_ids <> ARRAY[coalesce($2::text, '')]) AS items,
       (SELECT count(*)
          FROM rrcm.stranded_item s
          JOIN rrcm.chunk_count c USING (item_id)
         WHERE s.run_id = r.run_id
           AND s.pinned
           AND s.numerics_ids <> ARRAY[coalesce($2::text, '')]) AS chunks,
       EXISTS (SELECT FROM rrcm.worker w WHERE w.state <> 'gone' AND w.numerics_ids @> ARRAY[$2::text]) AS live
  FROM rrcm.run r
 WHERE r.run_id = $1
