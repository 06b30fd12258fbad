package journal

import "context"

// Anchor answers what was read last of a partition, by which its topic is recognised.
// Where nothing is known it notes learned and answers that.
func (j *Journal) Anchor(ctx context.Context, partition int, learned string) (string, error) {
	answer, err := j.run(ctx, "anchor", partition, learned)
	if err != nil {
		return "", err
	}
	return word(answer, 0), nil
}
