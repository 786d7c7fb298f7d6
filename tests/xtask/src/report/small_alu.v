// An adder of up to eight bits as plain gates, for `techmap`: on an ECP5 a carry chain costs two cells at its beginning and, where
// its last carry is used, two at its end.
(* techmap_celltype = "$alu" *)
module small_alu (A, B, CI, BI, X, Y, CO);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    input CI, BI;
    output [Y_WIDTH-1:0] X, Y, CO;
    wire _TECHMAP_FAIL_ = Y_WIDTH > 8;
    wire [Y_WIDTH-1:0] a, b;
    \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) wide_a (.A(A), .Y(a));
    \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) wide_b (.A(B), .Y(b));
    wire [Y_WIDTH-1:0] c = {Y_WIDTH{BI}} ^ b;
    wire [Y_WIDTH:0] carry;
    assign carry[0] = CI;
    genvar i;
    generate for (i = 0; i < Y_WIDTH; i = i + 1) begin : bits
        assign carry[i+1] = (a[i] & c[i]) | (carry[i] & (a[i] ^ c[i]));
    end endgenerate
    assign X = a ^ c;
    assign Y = a ^ c ^ carry[Y_WIDTH-1:0];
    assign CO = carry[Y_WIDTH:1];
endmodule
