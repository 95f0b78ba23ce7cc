-- name: list_items
-- Items of a run with what is known of each, by sigma, then image; of one image where $2 names it.
SELECT i.item_id,
       i.image_index,
       i.sigma::text AS sigma,
       i.label,
       i.state::text AS state,
       i.unit_count,
       i.next_unit,
       i.numerics_id,
       i.top_class,
       c.predicted,
       c.radius,
       c.abstained,
       c.correct,
       c.n_a,
       c.n,
       c.p_lower,
       c.compute_seconds,
       drawn.units,
       drawn.samples,
       (SELECT count(*) FROM rrcm.disagreement d WHERE d.item_id = i.item_id) AS disagreements,
       i.error
  FROM rrcm.item i
  LEFT JOIN rrcm.certificate c ON c.item_id = i.item_id AND i.state = 'certified'
 CROSS JOIN LATERAL (
   SELECT count(*) AS units,
          coalesce(sum(k.samples), 0) AS samples
     FROM rrcm.chunk_count k
    WHERE k.item_id = i.item_id
 ) AS drawn
 WHERE i.run_id = $1
   AND ($2::int IS NULL OR i.image_index = $2)
 ORDER BY i.sigma, i.image_index
