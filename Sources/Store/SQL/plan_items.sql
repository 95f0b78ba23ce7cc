-- name: plan_items
-- One item per image and sigma, images in the stored order.
INSERT INTO rrcm.item (run_id, image_index, sigma, label, unit_count)
SELECT r.run_id,
       i.image_index,
       s.sigma,
       d.label,
       $2
  FROM rrcm.run r
  JOIN rrcm.certification_sigma s USING (run_id)
 CROSS JOIN LATERAL unnest(r.image_indices) WITH ORDINALITY AS i (image_index, position)
  JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest AND d.image_index = i.image_index
 WHERE r.run_id = $1
 ORDER BY i.position, s.sigma
