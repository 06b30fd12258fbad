package journal

import (
	"context"

	"disburser/payout"
	"disburser/payout/intake"
)

// Marks answers the marks of partitions, each pair read at one moment.
func (j *Journal) Marks(ctx context.Context, partitions []int) (map[int]intake.Mark, error) {
	args := make([]any, len(partitions))
	for i, p := range partitions {
		args[i] = p
	}
	answer, err := j.run(ctx, "marks", args...)
	if err != nil {
		return nil, err
	}
	marks := make(map[int]intake.Mark, len(partitions))
	for i, p := range partitions {
		marks[p] = intake.Mark{Position: number(answer, 2*i), Safe: number(answer, 2*i+1)}
	}
	return marks, nil
}

// Lingering answers up to n payouts of each merchant whose commands stand at the
// smallest offsets of a partition and aren't final.
func (j *Journal) Lingering(ctx context.Context, partition, n int) ([]payout.Payout, error) {
	answer, err := j.run(ctx, "linger", partition, n)
	if err != nil {
		return nil, err
	}
	var payouts []payout.Payout
	for i := 0; i+1 < len(answer); i += 2 {
		p, err := decode(word(answer, i), word(answer, i+1))
		if err == nil && !p.State.Final() { // Lease reports what can't be read
			payouts = append(payouts, p)
		}
	}
	return payouts, nil
}

// Position answers where to read a partition. Where there is no position yet it becomes
// offset; with forward, also where the position lies before offset.
func (j *Journal) Position(ctx context.Context, partition int, offset int64, forward bool) (int64, error) {
	flag := ""
	if forward {
		flag = "1"
	}
	answer, err := j.run(ctx, "position", partition, offset, flag)
	if err != nil {
		return 0, err
	}
	return number(answer, 0), nil
}

// Anchor answers what was read last of a partition, by which its topic is recognised.
// Where nothing is known it notes learned and answers that.
func (j *Journal) Anchor(ctx context.Context, partition int, learned string) (string, error) {
	answer, err := j.run(ctx, "anchor", partition, learned)
	if err != nil {
		return "", err
	}
	return word(answer, 0), nil
}
