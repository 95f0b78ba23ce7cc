-- name: insert_dataset
-- Records an image set; nothing happens when the same bytes are already known under this name.
INSERT INTO rrcm.dataset (dataset_digest, name, channels, height, width, classes, image_count, source)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (dataset_digest) DO NOTHING
RETURNING dataset_digest
