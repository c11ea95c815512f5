package tap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// magic begins every recording.
const magic = "rhea-rec"

// mark begins every block. A reader that is lost looks for it.
const mark = "\xa5RB\n"

// A block is its mark, then little endian the number of compressed bytes, the
// number of bytes that they unpack to, and the CRC-32C of those two numbers and
// the compressed bytes; then the compressed bytes, one zstd frame.
const (
	blockHead = 4 + 4 + 4 + 4
	// blockTarget is when a writer closes a block; the record that passes it is
	// still in it, which with MaxData makes maxBlock.
	blockTarget = 64 << 10
	maxBlock    = 2 << 20
	// maxStored is more than zstd makes of maxBlock bytes that do not compress.
	maxStored = maxBlock + 64<<10
)

var errBlock = errors.New("a block is damaged")

// packer makes blocks of records.
type packer struct{ zstd *zstd.Encoder }

func newPacker() (packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	return packer{e}, err
}

// pack appends the block that holds records, which are maxBlock bytes at the most.
func (p packer) pack(dst, records []byte) []byte {
	at := len(dst)
	dst = append(dst, mark...)
	dst = append(dst, make([]byte, blockHead-len(mark))...)
	dst = p.zstd.EncodeAll(records, dst)
	block := dst[at:]
	binary.LittleEndian.PutUint32(block[4:], uint32(len(block)-blockHead))
	binary.LittleEndian.PutUint32(block[8:], uint32(len(records)))
	binary.LittleEndian.PutUint32(block[12:], checksum(block))
	return dst
}

// blockSize reads how long the block is that begins with head, which has blockHead
// bytes, and what it unpacks to. It is an error when that is no block's head.
func blockSize(head []byte) (stored, unpacked int, err error) {
	stored = int(binary.LittleEndian.Uint32(head[4:]))
	unpacked = int(binary.LittleEndian.Uint32(head[8:]))
	if !bytes.HasPrefix(head, []byte(mark)) || stored > maxStored || unpacked > maxBlock || unpacked == 0 {
		return 0, 0, errBlock
	}
	return stored, unpacked, nil
}

// sound says whether the bytes of a whole block are those that were written.
func sound(block []byte) bool {
	return binary.LittleEndian.Uint32(block[12:]) == checksum(block)
}

func checksum(block []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // kept by package crc32
	return crc32.Update(crc32.Checksum(block[4:12], table), table, block[blockHead:])
}

// unpacker gets the records out of blocks.
type unpacker struct{ zstd *zstd.Decoder }

func newUnpacker() (unpacker, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderMaxWindow(8<<20))
	return unpacker{d}, err
}

// unpack returns the records of a sound block, in memory of their own.
func (u unpacker) unpack(block []byte, size int) ([]byte, error) {
	records, err := u.zstd.DecodeAll(block[blockHead:], make([]byte, 0, size))
	if err != nil || len(records) != size {
		return nil, errBlock
	}
	return records, nil
}
